"""How many copies are found after what is done to photographs, and which photographs of a folder count as copies.

python -m deepret.reports.duplicates root=DIR [photographs=300] [seed=0] [out=pairs.png]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from pydantic import NonNegativeInt, PositiveInt
from tqdm import tqdm

from deepret.data.check import look
from deepret.data.duplicates.leaks import Copies
from deepret.data.duplicates.pairs import DISTANCE, SIMILAR, Pair, compared
from deepret.data.duplicates.prints import Prints, prints
from deepret.data.duplicates.registration import grey, similarity
from deepret.data.folder import check_folder, images_below
from deepret.data.photo import open_photo
from deepret.errors import UserError
from deepret.reports.command import command
from deepret.reports.gallery import save_png
from deepret.reports.pairs import side_by_side
from deepret.reports.table import table

ALONE = 40
"""Bits within which hashes alone told all photographs of one place apart that were looked at."""
Change = Callable[[Image.Image], Image.Image]


def duplicates(
    root: str,
    photographs: PositiveInt = 300,
    seed: NonNegativeInt = 0,
    out: str | None = None,
    cache: str = "~/.cache/deepret",
) -> dict[str, Any]:
    """Prints which share of changed photographs is found, and the pairs of a folder that are, and nearly are, copies.

    Args:
        root: a folder of photographs, read as a whole.
        photographs: so many, drawn at random, are changed.
        seed: of the draw.
        out: a PNG of the pairs that count as copies, the least alike first; null for none.
        cache: where hashes are kept.

    Returns:
        what the last line prints: ``recall`` (0…1) of each change, ``pairs`` that were compared, ``copies``, and how
        alike the nearest pair is that is none.

    Raises:
        UserError: no such folder, or less than two photographs in it.
    """
    folder = Path(root).expanduser()
    check_folder(folder, "root")
    names = [path.relative_to(folder).as_posix() for path in images_below(folder)]
    found = prints(folder, names, Path(cache).expanduser())
    sound = found.hashed.nonzero()[0].tolist()
    if len(sound) < 2:
        raise UserError(f"root={root}: there are {len(sound)} photographs that can be compared; name another folder.")
    chosen = np.random.default_rng(seed).permutation(sound)[:photographs].tolist()
    recall = changed([(found.path(i), found.bits[i].tobytes().hex()) for i in chosen])
    near = sorted(compared(found)[0], key=lambda pair: pair.similarity)
    copies = [pair for pair in near if pair.similarity >= SIMILAR]
    others = [pair for pair in near if pair.similarity < SIMILAR]
    print(f"\n{len(near):,} pairs are near by their hashes (≤ {DISTANCE} bits), {len(copies):,} of them copies")
    lines = [_line(pair, names) for pair in [*others[-10:], *copies]]
    print(table(["similarity", "bits", "copies", "", ""], lines))
    if out and copies:
        pairs = [_copies(pair, found) for pair in copies]
        print(f"picture: {save_png(side_by_side(pairs), Path(out).expanduser())}")
    return {
        "recall": {name: round(share, 4) for name, share in recall.items()},
        "pairs": len(sound) * (len(sound) - 1) // 2,
        "near": len(near),
        "copies": len(copies),
        "nearest_other": round(others[-1].similarity, 4) if others else None,
    }


def changed(photographs: list[tuple[Path, str]]) -> dict[str, float]:
    """The share of photographs, each with its hash, that is found again after each of ``changes``; as a table too."""
    kept: dict[str, list[tuple[int, float]]] = {name: [] for name in changes()}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "changed.jpg"
        for path, text in tqdm(photographs, "changing", unit=" photographs", disable=None, leave=False):
            image, own = open_photo(path), grey(path)
            for name, (change, quality) in changes().items():
                change(image).save(file, "JPEG", quality=quality)
                again = look(file)[0].hash
                apart = (int(text, 16) ^ int(again, 16)).bit_count() if again else len(text) * 4
                kept[name].append((apart, similarity(own, grey(file)) if apart <= DISTANCE else 0.0))
    rows, recall = [], {}
    for name, values in kept.items():
        bits, alike = np.array(values).T
        recall[name] = float((alike >= SIMILAR).mean())
        rows.append(
            (
                name,
                np.median(bits),
                np.percentile(bits, 99),
                100 * (bits <= ALONE).mean(),
                100 * (bits <= DISTANCE).mean(),
                100 * recall[name],
            )
        )
    print(table(["changed by", "bits, median", "99 %", f"≤ {ALONE} bits %", f"≤ {DISTANCE} bits %", "found %"], rows))
    return recall


def changes() -> dict[str, tuple[Change, int]]:
    """What is done to a photograph, and the quality of the JPEG that it is saved as."""
    found: dict[str, tuple[Change, int]] = {f"JPEG of quality {q}": (lambda image: image, q) for q in (30, 60, 95)}
    found |= {f"size × {s}": (_resized(s), 90) for s in (0.5, 0.75, 1.5, 2.0)}
    found |= {f"{100 * s:g} % cut off each side": (_cut(s), 90) for s in (0.005, 0.01, 0.02, 0.03, 0.05)}
    found |= {f"gamma {g}": (_toned(power=g), 90) for g in (0.7, 1.4)}
    found |= {f"brightness × {b}": (_toned(times=b), 90) for b in (0.8, 1.25)}
    found["mark in a corner"] = (marked, 90)

    def all_at_once(image: Image.Image) -> Image.Image:
        return _resized(0.7)(marked(_cut(0.01)(_toned(power=1.15)(image))))

    return {**found, "gamma 1.15, 1 % cut off, marked, size × 0.7": (all_at_once, 60)}


def marked(image: Image.Image) -> Image.Image:
    """A white label of 28 % of the width and 7 % of the height, with a line of text."""
    found = image.copy()
    w, h = found.size
    pen = ImageDraw.Draw(found)
    pen.rectangle((0.7 * w, 0.9 * h, 0.98 * w, 0.97 * h), fill="white")
    pen.text((0.72 * w, 0.91 * h), "© somebody", fill="black")
    return found


def _resized(scale: float) -> Change:
    return lambda image: image.resize(
        (max(16, round(scale * image.width)), max(16, round(scale * image.height))), Image.Resampling.LANCZOS
    )


def _cut(share: float) -> Change:
    def cut(image: Image.Image) -> Image.Image:
        x, y = round(share * image.width), round(share * image.height)
        return image.crop((x, y, image.width - x, image.height - y))

    return cut


def _toned(power: float = 1.0, times: float = 1.0) -> Change:
    curve = [min(255, max(0, round(255 * times * (value / 255) ** power))) for value in range(256)]
    return lambda image: image.point(curve * 3)


def _line(pair: Pair, names: list[str]) -> tuple[str, int, bool, str, str]:
    return f"{pair.similarity:.3f}", pair.distance, pair.similarity >= SIMILAR, names[pair.first], names[pair.second]


def _copies(pair: Pair, found: Prints) -> Copies:
    chosen = found.path(pair.first), found.path(pair.second)
    said = f"{pair.similarity:.3f}"
    return Copies(chosen, (chosen[0].name, chosen[1].name), (said, said), pair.similarity)


if __name__ == "__main__":
    command(f"{__spec__.name}.duplicates", "root=photos")
