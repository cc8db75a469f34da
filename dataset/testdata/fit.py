"""Writes fit.txt: checksums of the results of torchvision's and timm's evaluation transforms on 30 images, before normalisation.

    python3 fit.py > fit.txt      (needs torch, torchvision, timm and Pillow, whose versions the first line names)

A line has height, width and channels of the image, interpolation, shorter side (0: none), height and width of the result, its CRC-32,
and the library of the transform. An image is numpy.arange(h·w·c) → (i·i·31 + i·17) >> 3.
"""
import zlib

import numpy as np
import PIL
import timm
import torch
import torchvision
from PIL import Image
from timm.data import create_transform, resolve_data_config
from torchvision.models import GoogLeNet_Weights, Inception_V3_Weights
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize

SIZES = [(1, 1), (1, 2), (2, 1), (3, 7), (7, 3), (17, 13), (28, 28), (32, 32), (37, 999), (999, 37), (1, 640), (640, 1), (110, 111),
         (113, 110), (224, 224), (225, 300), (255, 256), (256, 255), (257, 341), (299, 299), (297, 97), (300, 299), (333, 500), (341, 342),
         (375, 500), (500, 375), (481, 640), (640, 320), (641, 320), (700, 301)]


def noise(h, w, c):
    i = np.arange(h * w * c)
    pixels = ((i * i * 31 + i * 17) >> 3).astype(np.uint8).reshape(h, w, c)
    return Image.fromarray(pixels if c == 3 else pixels[:, :, 0])


def torchvision_eval(weights):
    t = weights.transforms()
    t.mean, t.std = [0.0] * 3, [1.0] * 3
    name = f"torchvision {weights.__class__.__name__}"
    return name, t.interpolation.value, t.resize_size[0], t.crop_size[0], lambda m: (t(m) * 255).round().to(torch.uint8)


def timm_eval(name, **change):
    c = resolve_data_config(change, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    size = c["input_size"][1]
    t = create_transform(**c, is_training=False, use_prefetcher=True)
    return f"timm {name}", c["interpolation"], t.transforms[0].size, size, lambda m: torch.as_tensor(t(m))


def cut(interpolation, resize, size):
    """Any shorter side, also one smaller than the cut, or the whole image squashed."""
    steps = [Resize(resize or (size, size), InterpolationMode(interpolation)), CenterCrop(size), PILToTensor()]
    return "torchvision", interpolation, resize, size, Compose(steps)


TRANSFORMS = [torchvision_eval(GoogLeNet_Weights.IMAGENET1K_V1), torchvision_eval(Inception_V3_Weights.IMAGENET1K_V1),
              timm_eval("inception_v4.tf_in1k"), timm_eval("inception_resnet_v2.tf_in1k"), timm_eval("inception_v3.tf_in1k"),
              timm_eval("inception_v4.tf_in1k", input_size=(3, 96, 96), crop_pct=0.9),
              cut("bilinear", 29, 32), cut("bicubic", 25, 32), cut("bilinear", 0, 32), cut("bicubic", 0, 33), cut("lanczos", 40, 32)]

print(f"# Pillow {PIL.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}: made by fit.py")
for h, w in SIZES:
    for c in (3, 1) if h * w < 200 else (3,):
        for name, interpolation, resize, size, transform in TRANSFORMS:
            if name.startswith("torchvision ") and c == 1:
                continue  # torchvision's presets normalise three channels
            pixels = transform(noise(h, w, c)).permute(1, 2, 0).contiguous().numpy()
            assert pixels.shape == (size, size, c), pixels.shape
            print(h, w, c, interpolation, resize, size, size, f"{zlib.crc32(pixels.tobytes()):08x}", name)
