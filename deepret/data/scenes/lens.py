"""From light to a file: exposure, colour cast, blur, noise, vignette, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from deepret.data.scenes.canvas import Array
from deepret.data.scenes.light import Light


def develop(picture: Array, light: Light, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """A linear picture (H, W, 3) → (h, w, 3) uint8 of ``size`` = (w, h), as some camera would give it."""
    level = float(np.mean(np.minimum(picture, 2.0)))
    aim = {"night": 0.26, "dusk": 0.32}.get(light.hour, 0.34)
    # a camera meets its aim halfway: dark scenes stay darker than bright ones
    gain = (aim / max(level, 1e-3)) ** 0.75 * rng.lognormal(0, 0.22)
    warm, green = rng.normal(0, 0.07), rng.normal(0, 0.02)
    cast = np.array([1 + warm, 1 + green, 1 - warm])
    picture = np.maximum(picture * (gain * cast).astype(np.float32), 0)
    picture = (
        np.sqrt(picture / (1 + 0.28 * picture * picture)) if rng.random() < 0.8 else np.sqrt(np.minimum(picture, 1))
    )
    blur = float(rng.choice([0.0, 0.4, 0.7], p=(0.6, 0.3, 0.1)))
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur * picture.shape[1] / size[0] * 0.6)
    image = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    low, high = np.quantile(image[::4, ::4], (0.01, 0.99))
    stretched = (image - low) * np.float32(0.96 / max(high - low, 0.25)) + 0.02
    image = 0.35 * image + 0.65 * stretched  # cameras make something of dull light
    contrast, saturation = float(rng.uniform(0.85, 1.2)), float(rng.uniform(0.55, 1.1))
    if rng.random() < 0.05:
        saturation = 0.0
    grey = image.mean(2, keepdims=True)
    image = grey + saturation * (image - grey)
    image = 0.45 + contrast * (image - 0.45)
    if rng.random() < 0.04:
        image = image * np.array((1.08, 0.98, 0.82), np.float32)
    width, height = size
    x, y = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    image = image * (1 - rng.uniform(0, 0.22) * (x**2 + y**2) / 2).astype(np.float32)[..., None]
    image = image + rng.standard_normal(image.shape, np.float32) * np.float32(
        rng.uniform(0.003, 0.010 if light.hour in ("night", "dusk") else 0.008)
    )
    finished: Array = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    return finished


def jpeg(image: Array, quality: int) -> bytes:
    """The image (h, w, 3) as the bytes of a JPEG file."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not write a JPEG image")
    return bytes(data.tobytes())
