#!/usr/bin/env python3
"""Makes images of every format and writes the pixels that Pillow decodes them to.

    pillow.py fixtures        writes images/ and images.tsv beside this file: a few of each kind, for the quick tests
    pillow.py stream N SEED KIND   writes N random images to standard output, for a comparison of all pixels

It needs Python with Pillow and numpy, and cjpeg of libjpeg-turbo. The fixtures in the repository were made with Pillow 13.0.0
(libjpeg-turbo 3.2.0, libwebp 1.6.0) and cjpeg 2.1.5.

A record of the stream has a file and its result: the file's length (uint32) and bytes, width and height (int32), and the bytes of
convert("RGB") and of convert("L"). A width of -1 stands for an error; the height is then the length of the error's text, which follows.
"""
import hashlib, io, os, random, struct, subprocess, sys, zlib
import numpy as np
from PIL import Image

R = random.Random()
rng = np.random.default_rng()
KINDS = {}


def kind(f):
    KINDS[f.__name__] = f
    return f


def picture(w, h, c, most=255):
    """h×w×c values: noise, gradients, blobs, blocks."""
    k = R.randrange(5)
    if k == 0:
        a = rng.integers(0, most + 1, (h, w, c))
    elif k == 1:
        y, x = np.mgrid[0:h, 0:w]
        a = np.stack([(x * R.randrange(1, 9) + y * R.randrange(1, 9) + R.randrange(256)) % (most + 1) for _ in range(c)], -1)
    elif k == 4:
        a = np.clip(rng.normal(R.randrange(256), R.randrange(1, 90), (h, w, c)) * most / 255, 0, most)
    else:
        s = rng.integers(0, 256, (R.randrange(1, 9), R.randrange(1, 9), c)).astype(np.uint8)
        how = Image.BICUBIC if k == 2 else Image.NEAREST
        a = np.stack([np.asarray(Image.fromarray(s[..., i]).resize((w, h), how)) for i in range(c)], -1).astype(np.int64) * most // 255
    return a.astype(np.uint16 if most > 255 else np.uint8)


def size(most=71):
    return R.randrange(1, most), R.randrange(1, most)


def saved(im, **kw):
    b = io.BytesIO()
    im.save(b, **kw)
    return b.getvalue()


def cjpeg(a, *args):
    head = b'P%d\n%d %d\n255\n' % (5 if a.shape[2] == 1 else 6, a.shape[1], a.shape[0])
    return subprocess.run(['cjpeg', *args], input=head + a.tobytes(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


@kind
def jpeg():
    w, h = size() if R.random() < .97 else (R.randrange(100, 700), R.randrange(100, 500))
    q = R.randrange(1, 101)
    if R.random() < .4:
        mode, c = R.choice([('RGB', 3)] * 3 + [('L', 1), ('CMYK', 4)])
        a = picture(w, h, c)
        kw = {'restart_marker_blocks': R.randrange(1, 9)} if R.random() < .3 else {}
        if mode == 'RGB' and R.random() < .1:
            kw['keep_rgb'] = True
        else:
            kw['subsampling'] = R.randrange(3)
        d = saved(Image.fromarray(a[..., 0] if c == 1 else a, mode), format='JPEG', quality=q, progressive=R.random() < .4, optimize=R.random() < .3, **kw)
        if mode == 'CMYK' and R.random() < .5:  # the Adobe marker's transform: CMYK, YCCK, or no marker
            at = d.index(b'\xff\xee')
            d = R.choice([d[:at] + d[at + 16:], d[:at + 15] + b'\x02' + d[at + 16:]])
        return d
    c = R.choice([1, 3, 3, 3])
    args = ['-quality', str(q)]
    if c == 3:
        if R.random() < .1:
            args.append('-rgb')
        factor = lambda: R.choice([(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (4, 2), (2, 4), (3, 1), (1, 3), (3, 3), (4, 4), (3, 2)])
        f = [factor(), (1, 1), (1, 1)] if R.random() < .6 else [factor(), factor(), factor()]
        args += ['-sample', ','.join('%dx%d' % t for t in f)]
    args += [o for o in ('-progressive', '-arithmetic', '-optimize') if R.random() < .35]
    if R.random() < .3:
        args += ['-restart', str(R.randrange(1, 9)) + R.choice(['', 'B'])]
    try:
        return cjpeg(picture(w, h, c), *args)
    except subprocess.CalledProcessError:  # the options exclude each other
        return jpeg()


@kind
def damaged():
    """A JPEG with bytes changed, removed or inserted. (After ff ff 00 in the data, libjpeg-turbo leaves a unit that is a mix of two.)"""
    d = bytearray(jpeg())
    for _ in range(R.randrange(1, 4)):
        k = R.randrange(6)
        p = R.randrange(2, len(d)) if R.random() < .3 else R.randrange(len(d) // 2, len(d))
        if k == 0: d[p] ^= 1 << R.randrange(8)
        elif k == 1: d[p] = R.randrange(256)
        elif k == 2: del d[p:p + R.randrange(1, 20)]
        elif k == 3: d[p:p] = bytes(R.randrange(256) for _ in range(R.randrange(1, 9)))
        elif k == 4: d[p:p + 2] = bytes([255, R.choice([0, 0xd0, 0xd1, 0xd2, 0xd3, 0xd7, 0xd9, 0xda, 0xc0])])
        elif R.random() < .3: d = d[:p]
        if len(d) < 8: break
    return bytes(d)


@kind
def progressive():
    """A progressive JPEG whose last scans are missing."""
    w, h = size(99)
    c = R.choice([1, 3])
    args = ['-progressive', '-quality', str(R.randrange(5, 101))] + (['-arithmetic'] if R.random() < .3 else [])
    if c == 3:
        args += ['-sample', R.choice(['1x1', '2x1', '1x2', '2x2', '2x4', '4x2'])]
    d = cjpeg(picture(w, h, c), *args)
    scans = [i for i in range(len(d) - 1) if d[i:i + 2] == b'\xff\xda']
    keep = R.randrange(1, len(scans) + 1)
    end = scans[keep] if keep < len(scans) else len(d) - 2
    if R.random() < .3 and keep > 1:
        end = R.randrange(min(scans[keep - 1] + 12, end), end + 1)
    return d[:end] + b'\xff\xd9'


def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def packed(a, bits):
    """Rows of an array as bytes, with samples of a number of bits."""
    h = a.shape[0]
    a = a.reshape(h, -1)
    if bits == 16:
        return a.astype('>u2').view(np.uint8).reshape(h, -1)
    if bits == 8:
        return a.astype(np.uint8)
    b = (a[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).reshape(h, -1)
    return np.packbits(b, axis=1)


def filtered(rows, n):
    """Rows of a PNG, each with a random filter; n is the number of bytes of a pixel."""
    out, above = b'', np.zeros(rows.shape[1], int)
    for row in rows.astype(int):
        left, corner = np.concatenate([np.zeros(n, int), row[:-n]])[:len(row)], np.concatenate([np.zeros(n, int), above[:-n]])[:len(row)]
        p = left + above - corner
        pa, pb, pc = abs(p - left), abs(p - above), abs(p - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
        f = R.randrange(5)
        out += bytes([f]) + ((row - [0, left, above, (left + above) // 2, paeth][f]) % 256).astype(np.uint8).tobytes()
        above = row
    return out


@kind
def png():
    w, h = size()
    colour, depths, c = R.choice([(0, (1, 2, 4, 8, 16), 1), (2, (8, 16), 3), (3, (1, 2, 4, 8), 1), (4, (8, 16), 2), (6, (8, 16), 4)])
    depth = R.choice(depths)
    a = picture(w, h, c, (1 << depth) - 1)
    if depth == 16 and R.random() < .5:
        a = a // R.choice([64, 200, 256])
    n = max(c * depth // 8, 1)
    interlaced = R.random() < .4
    fw, fh, pre = w, h, b''
    if R.random() < .1:  # the first frame of an animation
        x, y = R.randrange(w), R.randrange(h)
        fw, fh = R.randrange(1, w - x + 1), R.randrange(1, h - y + 1)
        a = a[:fh, :fw]
        pre = chunk(b'acTL', struct.pack('>II', 1, 0)) + chunk(b'fcTL', struct.pack('>5I2H2B', 0, fw, fh, x, y, 1, 10, 0, 0))
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    raw = b''
    for px, py, dx, dy in passes:
        part = a[py::dy, px::dx]
        if part.size:
            raw += filtered(packed(part, depth), n)
    z = zlib.compress(raw, R.randrange(10))
    d = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, colour, 0, 0, interlaced))
    if R.random() < .2:
        d += chunk(b'gAMA', struct.pack('>I', 45455))
    if colour == 3:
        d += chunk(b'PLTE', rng.integers(0, 256, 3 * R.choice([1 << depth, max(1, (1 << depth) - R.randrange(9))])).astype(np.uint8).tobytes())
        if R.random() < .4:
            d += chunk(b'tRNS', rng.integers(0, 256, R.randrange(1, (1 << depth) + 1)).astype(np.uint8).tobytes())
    elif colour in (0, 2) and R.random() < .3:
        d += chunk(b'tRNS', bytes(2 * c))
    d += pre
    cut = R.randrange(len(z) + 1)
    if R.random() < .1:
        z += b'more'
    d += chunk(b'IDAT', z[:cut]) + chunk(b'IDAT', z[cut:]) + chunk(b'IEND', b'')
    k = R.random()
    if k < .03:  # a wrong checksum, anywhere
        at = R.randrange(8, len(d))
        d = d[:at] + bytes([d[at] ^ 1 << R.randrange(8)]) + d[at + 1:]
    elif k < .05:
        d = d[:R.randrange(8, len(d))]
    elif k < .07:
        d = d[:d.index(b'IDAT') + 4 + cut] + b'\0\0\0\0' + d[d.index(b'IDAT') + 8 + cut:]
    return d


def lzw(pixels, bits, order, early=0, clear_at=4095):
    """LZW codes of GIF (order 'lsb', early 0) or TIFF ('msb', early 1)."""
    clear, end = 1 << bits, (1 << bits) + 1
    acc = n = 0
    out = bytearray()
    def put(code, width):
        nonlocal acc, n
        if order == 'lsb':
            acc |= code << n
            n += width
            while n >= 8:
                out.append(acc & 255); acc >>= 8; n -= 8
        else:
            acc = acc << width | code
            n += width
            while n >= 8:
                out.append(acc >> (n - 8) & 255); n -= 8
            acc &= (1 << n) - 1
    width = bits + 1
    table = {bytes([i]): i for i in range(clear)}
    following = end + 1
    put(clear, width)
    text = b''
    for p in pixels:
        more = text + bytes([p])
        if more in table:
            text = more
            continue
        put(table[text], width)
        table[more] = following
        following += 1
        if following + early > (1 << width) and width < 12:
            width += 1
        if following >= clear_at - early:
            put(clear, width)
            table = {bytes([i]): i for i in range(clear)}
            following, width = end + 1, bits + 1
        text = bytes([p])
    put(table[text], width)
    following += 1
    if following + early > (1 << width) and width < 12:
        width += 1
    put(end, width)
    if n:
        out.append(acc & 255 if order == 'lsb' else acc << (8 - n) & 255)
    return bytes(out)


@kind
def gif():
    w, h = size()
    bits = R.randrange(1, 9)
    x, y, fw, fh = 0, 0, w, h
    if R.random() < .5:
        x, y = R.randrange(w), R.randrange(h)
        fw, fh = R.randrange(1, w - x + 1), R.randrange(1, h - y + 1)
        if R.random() < .1:
            fw += 5
    colours = lambda: rng.integers(0, 256, 3 << bits).astype(np.uint8).tobytes() if R.random() < .9 else bytes(i for i in range(1 << bits) for _ in range(3))
    a = picture(fw, fh, 1, (1 << bits) - 1)[..., 0]
    glob, local = R.random() < .8, R.random() < .3
    d = b'GIF89a' + struct.pack('<HHBBB', w, h, (0x80 if glob else 0) | bits - 1, R.randrange(1 << bits), 0)
    if glob:
        d += colours()
    if R.random() < .4:
        d += b'!\xfe\x04text\0'
    if R.random() < .5:
        d += b'!\xf9\x04' + struct.pack('<BHB', R.randrange(2) | R.randrange(4) << 2, 5, R.randrange(1 << bits)) + b'\0'
    interlaced = R.random() < .4
    if interlaced:
        a = np.concatenate([a[0::8], a[4::8], a[2::4], a[1::2]])
    d += b',' + struct.pack('<HHHHB', x, y, fw, fh, (0x80 if local else 0) | (0x40 if interlaced else 0) | bits - 1)
    if local:
        d += colours()
    code = max(bits, 2)
    z = lzw(a.tobytes(), code, 'lsb', 0, R.choice([4095, 4095, 300]))
    d += bytes([code])
    step = R.choice([255, 255, 30])
    for i in range(0, len(z), step):
        d += bytes([len(z[i:i + step])]) + z[i:i + step]
    d += b'\0'
    if R.random() < .2:  # a second frame
        d += b',' + struct.pack('<HHHHB', 0, 0, 1, 1, 0) + b'\x02\x02\x44\x01\0'
    d += b';'
    return d if R.random() < .95 else d[:R.randrange(6, len(d))]


def runs(a, rle4):
    """Rows of indices, from the lowest, in BMP's run-length coding."""
    out = b''
    for row in a[::-1]:
        i = 0
        while i < len(row):
            n = 1
            while i + n < len(row) and n < 255 and row[i + n] == row[i]:
                n += 1
            rest = len(row) - i
            if n < 3 and rest >= 3 and R.random() < .7:
                m = R.randrange(3, min(rest, 255) + 1)
                s = row[i:i + m]
                if rle4:
                    s = np.append(s, [0] * (len(s) % 2)).astype(np.uint8)
                    s = s[::2] << 4 | s[1::2]
                s = s.tobytes()
                out += bytes([0, m]) + s + b'\0' * (len(s) % 2)
                i += m
                continue
            v = int(row[i])
            out += bytes([n, v << 4 | v if rle4 else v])
            i += n
        out += b'\0\0'
    return out + b'\0\1'


@kind
def bmp():
    w, h = size()
    bits = R.choice([1, 4, 8, 16, 24, 32])
    head = R.choice([12, 40, 40, 52, 56, 64, 108, 124]) if bits != 16 else R.choice([40, 56, 124])
    down = head != 12 and R.random() < .3
    compression, masks, colours = 0, b'', 0
    if bits <= 8:
        a = picture(w, h, 1, (1 << bits) - 1)[..., 0]
        if bits == 1 or head == 12 or R.random() < .5:
            n = 1 << bits
        else:
            n = colours = int(a.max()) + 1
        entry = 3 if head == 12 else 4
        table = b''.join(bytes([R.randrange(256) for _ in range(3)]) + bytes(entry - 3) for _ in range(n))
        if R.random() < .2 and bits == 8 and n == 256:
            table = b''.join(bytes([i, i, i]) + bytes(entry - 3) for i in range(n))
        rows = packed(a[..., None], bits)
        if bits > 1 and head >= 40 and not down and R.random() < .4:
            compression = 1 if bits == 8 else 2
            rows = None
            data = runs(a, bits == 4)
    else:
        table = b''
        rows = picture(w, h, bits // 8).reshape(h, -1)
        if head >= 40 and R.random() < .5 and (bits != 24 or head != 64):
            compression = 3
            m = R.choice({16: [(0xf800, 0x7e0, 0x1f), (0x7c00, 0x3e0, 0x1f)], 24: [(0xff0000, 0xff00, 0xff)],
                          32: [(0xff0000, 0xff00, 0xff, 0), (0xff000000, 0xff0000, 0xff00, 0), (0xff, 0xff00, 0xff0000, 0xff000000), (0xff0000, 0xff00, 0xff, 0xff000000), (0, 0, 0, 0)]}[bits])
            masks = struct.pack('<%dI' % len(m), *m)
            if head < 56:
                masks = masks[:12]
                if len(m) == 4 and m[3]:
                    return bmp()
    if rows is not None:
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
        data = (rows if down else rows[::-1]).tobytes()
    if head == 12:
        hd = struct.pack('<IHHHH', 12, w, h, 1, bits)
    else:
        hd = struct.pack('<IiiHHIIiiII', head, w, -h if down else h, 1, bits, compression, len(data), 2835, 2835, colours, 0)
        hd += (masks if head > 40 else b'').ljust(head - 40, b'\0')[:head - 40]
        if head == 40:
            hd += masks[:12]
    at = 14 + len(hd) + len(table)
    d = b'BM' + struct.pack('<IHHI', at + len(data), 0, 0, at) + hd + table + data
    return d if R.random() < .97 else d[:R.randrange(30, len(d))]


def packbits(data, n):
    """PackBits of rows of n bytes."""
    out = b''
    for i in range(0, len(data), n):
        row = data[i:i + n]
        j = 0
        while j < len(row):
            k = 1
            while j + k < len(row) and k < 128 and row[j + k] == row[j]:
                k += 1
            if k > 1:
                out += bytes([257 - k, row[j]])
            else:
                k = min(R.randrange(1, 20), len(row) - j)
                out += bytes([k - 1]) + row[j:j + k]
            j += k
    return out


@kind
def tiff():
    w, h = size()
    photo, c, depth, extra = R.choice([(0, 1, 1, 0), (0, 1, 2, 0), (0, 1, 4, 0), (0, 1, 8, 0), (1, 1, 1, 0), (1, 1, 2, 0), (1, 1, 4, 0), (1, 1, 8, 0), (1, 1, 16, 0),
                                       (2, 3, 8, 0), (2, 3, 16, 0), (2, 4, 8, 1), (2, 4, 8, 2), (2, 4, 16, 2), (2, 4, 16, 1), (3, 1, 1, 0), (3, 1, 2, 0), (3, 1, 4, 0), (3, 1, 8, 0),
                                       (5, 4, 8, 0), (5, 4, 16, 0), (1, 2, 8, 2)])
    big = R.random() < .4
    e = '>' if big else '<'
    a = picture(w, h, c, (1 << depth) - 1)
    if photo == 1 and depth == 16:
        a = a // R.choice([1, 200, 256])
    compression = R.choice([1, 1, 5, 8, 32946, 32773])
    if depth == 1 and photo < 2 and R.random() < .2:
        return saved(Image.fromarray(a[..., 0] * 255).convert('1'), format='TIFF', compression='group4')
    predictor = 2 if compression in (5, 8, 32946) and depth >= 8 and R.random() < .5 else 1
    planar = 2 if c > 1 and R.random() < .3 and compression != 1 else 1
    tiled = R.random() < .3
    cw, ch = (16 * R.randrange(1, 4), 16 * R.randrange(1, 4)) if tiled else (w, R.choice([h, R.randrange(1, h + 1)]))
    pieces = []
    for plane in ([a[..., i:i + 1] for i in range(c)] if planar == 2 else [a]):
        for y in range(0, h, ch):
            for x in range(0, w, cw):
                part = plane[y:y + ch, x:x + cw]
                if tiled:
                    part = np.pad(part, ((0, ch - part.shape[0]), (0, cw - part.shape[1]), (0, 0)))
                if predictor == 2:
                    part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], 1)
                rows = packed(part, depth)
                if depth == 16 and not big:
                    rows = rows.reshape(-1, 2)[:, ::-1].reshape(rows.shape)
                s = rows.tobytes()
                pieces.append({1: lambda: s, 5: lambda: lzw(s, 8, 'msb', 1), 8: lambda: zlib.compress(s), 32946: lambda: zlib.compress(s), 32773: lambda: packbits(s, rows.shape[1])}[compression]())
    data, offsets, at = b'', [], 8
    for s in pieces:
        offsets.append(at + len(data))
        data += s + b'\0' * (len(s) % 2)
    tags = {256: (4, [w]), 257: (4, [h]), 258: (3, [depth] * c), 259: (3, [compression]), 262: (3, [photo]), 277: (3, [c]), 284: (3, [planar])}
    counts = [len(s) for s in pieces]
    if tiled:
        tags.update({322: (3, [cw]), 323: (3, [ch]), 324: (4, offsets), 325: (4, counts)})
    else:
        tags.update({273: (4, offsets), 278: (4, [ch]), 279: (4, counts)})
    if predictor == 2:
        tags[317] = (3, [2])
    if extra:
        tags[338] = (3, [extra])
    if photo == 3:
        tags[320] = (3, [R.randrange(65536) for _ in range(3 << depth)])
    if R.random() < .3:
        tags[274] = (3, [R.randrange(1, 9)])
    table, more = b'', b''
    at = 8 + len(data)
    end = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        t, v = tags[tag]
        s = struct.pack(e + '%d%s' % (len(v), 'H' if t == 3 else 'I'), *v)
        if len(s) <= 4:
            value = s.ljust(4, b'\0')
        else:
            value = struct.pack(e + 'I', end + len(more))
            more += s
        table += struct.pack(e + 'HHI', tag, t, len(v)) + value
    return (b'MM\0*' if big else b'II*\0') + struct.pack(e + 'I', at) + data + struct.pack(e + 'H', len(tags)) + table + bytes(4) + more


@kind
def pnm():
    w, h = size()
    k = R.randrange(1, 7)
    most = R.choice([255, 255, 1, 3, 100, 254, 256, 1000, 65534, 65535])
    c = 3 if k in (3, 6) else 1
    if k in (1, 4):
        most = 1
    a = picture(w, h, c, most)
    comment = R.choice([b'', b'# text\n', b'#\r\n'])
    d = b'P%d\n%s%d %d\n' % (k, comment, w, h)
    if k not in (1, 4):
        d += b'%s%d\n' % (comment, most)
    if k == 1:
        d += b''.join(R.choice([b'', b' ', b'\n']) + b'%d' % v for v in a.flat) + b'\n'
    elif k <= 3:
        d += b''.join(b'%d' % v + R.choice([b' ', b'\n', b'  ', b' #c\n']) for v in a.flat)
    elif k == 4:
        d += packed(a, 1).tobytes()
    else:
        d += packed(a, 16 if most > 255 else 8).tobytes()
    return d if R.random() < .95 else d[:R.randrange(12, max(13, len(d)))]


def riff(*chunks):
    s = b'WEBP' + b''.join(n + struct.pack('<I', len(c)) + c + b'\0' * (len(c) % 2) for n, c in chunks)
    return b'RIFF' + struct.pack('<I', len(s)) + s


def chunks(d, at=12):
    while at + 8 <= len(d):
        n = struct.unpack('<I', d[at + 4:at + 8])[0]
        yield d[at:at + 4], d[at + 8:at + 8 + n]
        at += 8 + n + n % 2


@kind
def webp():
    w, h = size(99)
    mode, c = R.choice([('RGB', 3), ('RGB', 3), ('RGBA', 4)])
    im = Image.fromarray(picture(w, h, c), mode)
    kw = {'lossless': R.random() < .35, 'quality': R.randrange(101), 'method': R.randrange(7), 'exact': R.random() < .5}
    if R.random() < .2:
        im2 = Image.fromarray(picture(w, h, c), mode)
        return saved(im, format='WEBP', save_all=True, append_images=[im2], duration=40, minimize_size=R.random() < .5, allow_mixed=R.random() < .3, **kw)
    d = saved(im, format='WEBP', **kw)
    if R.random() < .2:  # a frame at an offset
        x, y = 2 * R.randrange(20), 2 * R.randrange(20)
        W, H = x + w + R.randrange(9), y + h + R.randrange(9)
        three = lambda v: struct.pack('<I', v)[:3]
        inner = b''.join(n + struct.pack('<I', len(s)) + s + b'\0' * (len(s) % 2) for n, s in chunks(d) if n in (b'VP8 ', b'VP8L', b'ALPH'))
        frame = three(x // 2) + three(y // 2) + three(w - 1) + three(h - 1) + three(40) + bytes([R.randrange(4)])
        d = riff((b'VP8X', bytes([2 | (16 if c == 4 else 0), 0, 0, 0]) + three(W - 1) + three(H - 1)), (b'ANIM', bytes([255, 200, 100, 255, 0, 0])), (b'ANMF', frame + inner))
    return d if R.random() < .95 else d[:R.randrange(12, len(d))]


def decoded(d):
    rgb, grey = Image.open(io.BytesIO(d)).convert('RGB'), Image.open(io.BytesIO(d)).convert('L')
    return rgb, grey


def stream(n, seed, name):
    global rng
    R.seed(seed)
    rng = np.random.default_rng(seed)
    out = sys.stdout.buffer
    for _ in range(n):
        d = None
        while d is None:
            try:
                d = KINDS[name]()
            except OSError:  # Pillow's encoder lacks room for some
                pass
        out.write(struct.pack('<I', len(d)) + d)
        try:
            rgb, grey = decoded(d)
            out.write(struct.pack('<ii', *rgb.size) + rgb.tobytes() + grey.tobytes())
        except Exception as e:
            s = repr(e).encode()
            out.write(struct.pack('<ii', -1, len(s)) + s)


def fixtures():
    """A few small images of each kind, until all cases have occurred."""
    global rng
    here = os.path.dirname(os.path.abspath(__file__))
    os.makedirs(here + '/images', exist_ok=True)
    for old in os.listdir(here + '/images'):
        os.remove(here + '/images/' + old)
    lines = ['# name, width and height, SHA-256 of the bytes of convert("RGB") and of convert("L"); made by pillow.py\n']
    for name, count in (('jpeg', 24), ('progressive', 8), ('damaged', 6), ('png', 24), ('gif', 10), ('webp', 10), ('bmp', 14), ('tiff', 24), ('pnm', 12)):
        made = seed = 0
        while made < count:
            seed += 1
            R.seed(seed)
            rng = np.random.default_rng(seed)
            try:
                d = KINDS[name]()
                rgb, grey = decoded(d)
            except Exception:
                continue
            if len(d) > 1400 or rgb.size[0] * rgb.size[1] < 16:
                continue
            made += 1
            file = '%s%02d' % (name, made)
            with open(here + '/images/' + file, 'wb') as f:
                f.write(d)
            digest = lambda im: hashlib.sha256(im.tobytes()).hexdigest()
            lines.append('\t'.join([file, '%dx%d' % rgb.size, digest(rgb), digest(grey)]) + '\n')
    with open(here + '/images.tsv', 'w') as f:
        f.writelines(lines)


if __name__ == '__main__':
    import warnings
    warnings.simplefilter('ignore')
    if sys.argv[1] == 'fixtures':
        fixtures()
    elif sys.argv[1] == 'stream':
        stream(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
