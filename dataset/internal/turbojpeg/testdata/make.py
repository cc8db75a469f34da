#!/usr/bin/env python3
"""Writes the JPEG files of this folder, and sums.json with the CRC-32 of the pixels that Pillow decodes them to, in colour and in grey,
and at 1/2, 1/4 and 1/8 of the size (Image.draft). It needs Pillow and numpy."""
import json, os, zlib
import numpy as np
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
H, W = 77, 93
y, x = np.mgrid[0:H, 0:W]
noise = np.random.RandomState(1).randint(-40, 40, (H, W, 3))
colour = np.stack([x * 255 // W, y * 255 // H, (x * y) % 256], -1) + noise
colour[20:50, 30:60] = (250, 10, 30)
colour = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))

files = {}
for name, mode, options in [
    ("444", "RGB", dict(subsampling=0)), ("422", "RGB", dict(subsampling=1)), ("420", "RGB", dict(subsampling=2)),
    ("420-progressive", "RGB", dict(subsampling=2, progressive=True)), ("444-progressive", "RGB", dict(subsampling=0, progressive=True)),
    ("420-restarts", "RGB", dict(subsampling=2, restart_marker_blocks=3)), ("420-best", "RGB", dict(subsampling=2, quality=98)),
    ("420-worst", "RGB", dict(subsampling=2, quality=5)), ("grey", "L", {}), ("grey-progressive", "L", dict(progressive=True)),
    ("rgb", "RGB", dict(keep_rgb=True)), ("cmyk", "CMYK", {}),
]:
    colour.convert(mode).save(name + ".jpg", quality=options.pop("quality", 75), **options)
    sums = {}
    for c, to in ((3, "RGB"), (1, "L")):
        for shrink in (1, 2, 4, 8):
            im = Image.open(name + ".jpg")
            im.draft(to if im.mode != "L" else None, (W // shrink, H // shrink))
            sums[f"{c}/{shrink}"] = zlib.crc32(np.asarray(im.convert(to)).tobytes())
    files[name] = sums
json.dump(files, open("sums.json", "w"), indent=1)
