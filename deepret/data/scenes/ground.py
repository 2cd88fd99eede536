"""The ground before the buildings: squares, streets, lawns, in perspective down to the horizon."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from deepret.data.scenes.camera import Camera
from deepret.data.scenes.canvas import Array, fractal, stream
from deepret.data.scenes.raster import Buffers

Ground = Literal["square", "street", "lawn", "cobble"]
Surface = Literal["slabs", "asphalt", "grass", "setts", "gravel"]

_TILE, _SCALE = 512, 32.0  # pixels of a tile, pixels a metre


@lru_cache(maxsize=24)
def _tile(kind: Surface, variant: int) -> tuple[Array, ...]:
    """A surface that repeats every 16 m, (512, 512, 3) uint8, and the same 4 and 16 times coarser."""
    rng = stream("ground", kind, variant)
    y, x = np.mgrid[:_TILE, :_TILE]
    base = {
        "slabs": (158, 150, 138),
        "asphalt": (92, 92, 94),
        "grass": (94, 108, 66),
        "setts": (118, 112, 104),
        "gravel": (176, 160, 130),
    }[kind]
    noise = fractal(_TILE, _TILE, 128, rng, 5)
    tone = 1 + 0.06 * (noise + np.roll(noise[::-1], _TILE // 2, 0)) + rng.normal(0, 0.05, (_TILE, _TILE))
    if kind in ("slabs", "setts"):
        side = (32, 16)[variant % 2] if kind == "slabs" else 8
        row = y // side
        along = x + (row % 2) * (side // 2)
        tone = tone * rng.normal(1, 0.09, 4096)[(row * 67 + (along % _TILE) // side) % 4096]
        tone = np.where((y % side < 2) | (along % side < 2), 0.72 * tone, tone)
        if kind == "slabs" and variant % 3 == 0:
            tone = np.where((row + along // side) % 2 == 0, tone * 0.8, tone)
    elif kind == "grass":
        tone = tone * (1 + 0.3 * fractal(_TILE, _TILE, 6, rng, 2))
    colour = np.array(base) + rng.normal(0, 7) + rng.normal(0, 3) * np.array([1.0, 0.0, -1.0])
    full = np.clip(tone[..., None] * colour, 0, 255).astype(np.uint8)
    coarse = [cv2.resize(full, (_TILE // k, _TILE // k), interpolation=cv2.INTER_AREA) for k in (4, 16)]
    return full, *coarse


@lru_cache(maxsize=1)
def _blotches() -> Array:
    """Stains and worn places over tens of metres (512, 512), a factor around 1, so that no tile shows."""
    noise = fractal(_TILE, _TILE, 128, stream("ground", "blotches"), 5)
    return (1 + 0.2 * (noise + noise[::-1, ::-1]) / 1.4).astype(np.float32)


def draw_ground(buffers: Buffers, camera: Camera, number: int, kind: Ground, rng: np.random.Generator) -> None:
    """Fills what lies below the horizon with ground, as face ``number``."""
    x = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.focal).astype(np.float32)[None, :]
    y = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.focal).astype(np.float32)[:, None]
    r = camera.rotation.astype(np.float32)
    fall = -(x * r[0, 2] + y * r[1, 2] + r[2, 2])
    near = fall / np.float32(camera.centre[2])
    hit = near > 1 / 600
    if not hit.any():
        return
    top = int(np.argmax(hit.any(1)))  # rows above the horizon are left out
    hit, near = hit[top:], near[top:]
    far = 1 / np.maximum(near, 1 / 600)
    at = [(x * r[0, i] + y[top:] * r[1, i] + r[2, i]) * far + np.float32(camera.centre[i]) for i in (0, 1)]
    footprint = far / np.float32(camera.focal) / np.sqrt(np.clip(fall[top:], 0.02, 1))
    variant = int(rng.integers(3))
    colour = _layers(kind, at[0], at[1], footprint, variant, rng)
    blotch = cv2.remap(
        _blotches(), at[0] * np.float32(3.1), at[1] * np.float32(3.1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    colour = cv2.multiply(colour, cv2.merge([blotch] * 3), dtype=cv2.CV_8U)
    buffers.colour[top:][hit] = np.dstack([colour, np.zeros(hit.shape, np.uint8)])[hit]
    buffers.near[top:][hit] = near[hit]
    buffers.face[top:][hit] = number


def _surface(kind: Surface, variant: int, x: Array, y: Array, footprint: Array) -> Array:
    """The colour (h, w, 3) at points in metres, from the level that suits each pixel's footprint in metres."""
    levels = _tile(kind, variant)
    colour = np.broadcast_to(levels[-1].mean((0, 1)).astype(np.uint8), (*x.shape, 3)).copy()
    for texture, factor, low, high in zip(levels, (1, 4, 16), (0.0, 0.07, 0.28), (0.07, 0.28, 1.1), strict=True):
        wanted = (footprint >= low) & (footprint < high)
        used = np.flatnonzero(wanted.any(1))
        if not len(used):
            continue
        rows = slice(used[0], used[-1] + 1)
        scale = np.float32(_SCALE / factor)
        layer = cv2.remap(texture, x[rows] * scale, y[rows] * scale, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        cv2.copyTo(layer, wanted[rows].astype(np.uint8), colour[rows])
    return colour


def _layers(kind: Ground, x: Array, y: Array, footprint: Array, variant: int, rng: np.random.Generator) -> Array:
    turn = rng.uniform(-0.8, 0.8) if kind in ("square", "cobble") and rng.random() < 0.5 else 0.0
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    base: Surface = {"square": "slabs", "street": "slabs", "lawn": "grass", "cobble": "setts"}[kind]  # type: ignore[assignment]
    colour = _surface(base, variant, c * x + s * y, c * y - s * x, footprint)
    if kind == "street":
        edge, wide = rng.uniform(5, 9), rng.uniform(7, 11)
        road = (y < -edge) & (y > -edge - wide)
        asphalt = _surface("asphalt", variant, x, y, footprint)
        colour = np.where(road[..., None], asphalt, colour)
        kerb = (np.abs(y + edge - 0.15) < np.maximum(0.18, 0.5 * footprint)) | (
            np.abs(y + edge + wide + 0.15) < np.maximum(0.18, 0.5 * footprint)
        )
        colour[kerb] = (176, 172, 164)
        dash = (np.abs(y + edge + wide / 2) < np.maximum(0.1, 0.4 * footprint)) & (x % 5 < 2.6)
        colour[dash] = (214, 212, 204)
        if rng.random() < 0.5:
            at = rng.uniform(-6, 6)
            zebra = road & (np.abs(x - at) < 2) & (np.abs(y) % 1.1 < 0.55)
            colour[zebra] = (206, 204, 198)
    elif kind == "lawn":
        path = (np.abs(x) < 2.6) | ((y > -3.5) & (y < 40)) | (np.abs(y + rng.uniform(10, 25)) < 2)
        colour = np.where(path[..., None], _surface("gravel", variant, x, y, footprint), colour)
    elif kind == "square" and rng.random() < 0.5:
        ring = np.abs(np.hypot(x, y + rng.uniform(10, 20)) % rng.uniform(5, 9)) < 0.5
        colour[ring] = (colour[ring] * 0.72).astype(np.uint8)
    return colour
