"""How many images a minute the scenes are rendered at, at the default size.

    python timings/render.py                     # on all cores
    python timings/render.py --processes 2 --images-per-class 4

The drawing of every building is in it, as it is on first use. The aim is at least 900 on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from deepret.data.scenes.plan import plan
from deepret.data.scenes.render import render
from deepret.data.scenes.source import Scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--images-per-class", type=int, default=None)
    given = parser.parse_args()
    recipe = Scenes().recipe
    if given.images_per_class:
        recipe = replace(recipe, images_per_class=given.images_per_class)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        render(recipe, Path(folder), given.processes)
        seconds = time.perf_counter() - start
    count = len(plan(recipe))
    print(f"{count} images in {seconds:.1f} s: {60 * count / seconds:.0f} images a minute")


if __name__ == "__main__":
    main()
