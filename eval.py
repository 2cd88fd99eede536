"""Scores an image-search network. The commands that matter:

    python eval.py                                              # R-MAC before any training, on rendered landmarks
    python eval.py checkpoint=outputs/RUN/3-ranking/best.ckpt   # a trained one, on its own test split
    python eval.py checkpoint=PATH data=catalogue data.root=DIR # on your photographs
    python eval.py checkpoint=PATH benchmark=oxford5k benchmark.root=DIR
    python eval.py checkpoint=PATH input.size=512 'input.scales=[0.7071,1,1.4142]' dims=128

Every setting with its reason: conf/eval.yaml. The same from an installed package: deepret eval …
"""

from deepret.__main__ import main

if __name__ == "__main__":
    main("eval")
