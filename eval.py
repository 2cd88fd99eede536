"""Scores an image-search network. The commands that matter:

    python eval.py                                              # R-MAC before any training, on rendered landmarks
    python eval.py checkpoint=outputs/RUN/3-ranking/best.ckpt   # a trained one, on its own test split
    python eval.py checkpoint=PATH data=catalogue data.root=DIR # on your photographs
    python eval.py checkpoint=PATH benchmark=oxford5k benchmark.root=DIR
    python eval.py checkpoint=PATH accelerator=cpu              # one CPU; a GPU is taken by itself where there is one
    python eval.py checkpoint=PATH accelerator=gpu              # one GPU
    torchrun --nproc_per_node=4 eval.py checkpoint=PATH         # several GPUs, each with its share of the photographs
    torchrun --nnodes=2 --nproc_per_node=8 --rdzv_backend=c10d --rdzv_endpoint=HOST:29400 eval.py checkpoint=PATH
    python eval.py checkpoint=PATH input.size=512 'input.scales=[0.7071,1,1.4142]' dims=128

Every setting with its reason: conf/eval.yaml. The same from an installed package: deepret eval …
"""

from deepret.__main__ import main

if __name__ == "__main__":
    main("eval")
