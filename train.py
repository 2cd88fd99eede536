"""Trains an image-search network. The commands that matter:

    python train.py                                             # R-MAC grid + Shift+FC on rendered landmarks
    python train.py loss=triplet regions=rpn                    # Deep Image Retrieval, its three stages
    python train.py debug=fast regions=rpn                      # every stage in miniature, some seconds
    python train.py data=catalogue data.root=DIR                # your photographs: a folder of folders, or images.csv
    python train.py trainer=cpu                                 # one CPU; a GPU is taken by itself where there is one
    python train.py trainer=gpu                                 # one GPU
    python train.py trainer=ddp                                 # every GPU of the machine
    torchrun --nproc_per_node=4 train.py trainer=ddp            # four of them, started by torchrun
    torchrun --nnodes=2 --nproc_per_node=8 --rdzv_backend=c10d --rdzv_endpoint=HOST:29400 train.py trainer=ddp
    sbatch conf/cluster/train.sbatch loss=triplet regions=rpn   # a job of SLURM's, which goes on by itself
    python train.py loss=triplet regions=rpn resume=last        # go on with the newest unfinished run of these words
    python train.py -m loss.margin=0.05,0.1,0.2                 # a sweep

Every setting with its reason: conf/train.yaml. The same from an installed package: deepret train …
"""

from deepret.__main__ import main

if __name__ == "__main__":
    main("train")
