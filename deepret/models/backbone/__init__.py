"""Backbones: images to maps, the packaged Lite0 and any of timm and torchvision."""
