"""Writes orientation.txt: small images with orientations in all places that Pillow reads, and Pillow's results.

    python3 orientation.py > orientation.txt      (needs Pillow and numpy)

A line has a description, height and width after ImageOps.exif_transpose, the CRC-32 of the RGB pixels, and the file in base64.
"""
import base64
import io
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps, PngImagePlugin


def pixels():
    """2 × 3 blocks of 8 × 8 pixels, each of one grey, so that all JPEG decoders agree."""
    blocks = np.array([[10, 60, 110], [160, 210, 250]], np.uint8)
    return Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).convert("RGB")


def exif(orientation, order="<", kind="H", first=b""):
    width = {"B": 1, "H": 3, "L": 4}[kind]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    other = struct.pack(order + "HHII", 271, 2, 4, 0x41424300)
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    return first + head + struct.pack(order + "H", 2) + other + struct.pack(order + "HHI", 274, width, 1) + value + b"\0" * 4


def xmp(orientation, attribute=True):
    o = f'tiff:Orientation="{orientation}"' if attribute else f"><tiff:Orientation>{orientation}</tiff:Orientation"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {o}/></x:xmpmeta>'.encode()


def save(format, **options):
    b = io.BytesIO()
    pixels().save(b, format, **options)
    return b.getvalue()


def jpeg(*segments):
    data = save("JPEG", quality=95)
    return data[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in segments) + data[2:]


def png_text(key, value, zip):
    info = PngImagePlugin.PngInfo()
    (info.add_itxt if key.startswith("XML") else info.add_text)(key, value, zip=zip)
    return save("PNG", pnginfo=info)


def raw(orientation):
    data = exif(orientation)
    return f"\nexif\n{len(data):8}\n{data.hex()}\n"


head, adobe = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
files = {}
for o in range(0, 10):
    files[f"jpeg {o}"] = jpeg(exif(o, first=head))
for o in range(1, 9):
    files[f"png {o}"] = save("PNG", exif=exif(o))
    files[f"webp {o}"] = save("WEBP", lossless=True, exif=exif(o, first=head if o % 2 else b""))
    files[f"tiff {o}"] = save("TIFF", tiffinfo={274: o})
files["jpeg big-endian 6"] = jpeg(exif(6, ">", first=head))
files["jpeg byte 6"] = jpeg(exif(6, ">", "B", first=head))
files["jpeg long 6"] = jpeg(exif(6, ">", "L", first=head))
files["jpeg twice Exif 6"] = jpeg(exif(6, first=head + head))
whole = exif(8)
files["jpeg in two segments 8"] = jpeg(head + whole[:20], head + whole[20:])
files["jpeg xmp 6"] = jpeg(adobe + xmp(6))
files["jpeg xmp element 5"] = jpeg(adobe + xmp(5, False))
files["jpeg exif before xmp 3"] = jpeg(adobe + xmp(6), exif(3, first=head))
files["png raw profile 7"] = png_text("Raw profile type exif", raw(7), False)
files["png packed raw profile 8"] = png_text("Raw profile type exif", raw(8), True)
files["png xmp 2"] = png_text("XML:com.adobe.xmp", xmp(2).decode(), False)
files["png packed xmp 4"] = png_text("XML:com.adobe.xmp", xmp(4).decode(), True)
files["webp xmp 6"] = save("WEBP", lossless=True, xmp=xmp(6))
files["jpeg nothing"], files["png nothing"] = jpeg(), save("PNG")

print(f"# Pillow {PIL.__version__}: made by orientation.py")
for name, data in files.items():
    m = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    sum = zlib.crc32(np.asarray(m).tobytes())
    print(name.replace(" ", "_"), m.height, m.width, f"{sum:08x}", base64.b64encode(data).decode())
