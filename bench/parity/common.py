"""The parity scripts share this module: the counter-based generator, safetensors files, the networks, one training step in PyTorch.

It needs Python 3 with PyTorch, torchvision and numpy (written with 1.13.1, 0.14.1), and timm for inception_v4 and inception_resnet_v2
(0.6.13, which make parity installs). It downloads nothing: weights and images come from a generator that bench/parity/generate.go
implements too, bit for bit.
"""
import hashlib
import json
import struct
import warnings

import numpy as np

SEED_WEIGHTS, SEED_PROJECTION = 1, 2
PROJECTIONS = 16


# ---------------------------------------------------------------- random numbers

def fnv1a(name):
    """Returns graph.NodeKey, the 32-bit FNV-1a hash of a name."""
    h = 2166136261
    for b in name.encode():
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    return h


def words(seed, name, count):
    """Returns the first count words of graph.NewRandom(seed, name): Philox4x32-10 with counter (block, 0, 0) and key (seed, hash)."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    c = [blocks & mask, blocks >> shift, np.zeros_like(blocks), np.zeros_like(blocks)]
    k0 = ((seed & 0xFFFFFFFF) ^ ((seed >> 32) * 0x9E3779B9)) & 0xFFFFFFFF
    k1 = fnv1a(name)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k0), p1 & mask, (p0 >> shift) ^ c[3] ^ np.uint64(k1), p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, 1).reshape(-1)[:count].astype(np.uint32)


def symmetric(name, count):
    """Returns count float64 numbers in [-1, 1) from the stream (SEED_WEIGHTS, name): 2u - 1, where u is a multiple of 2^-24."""
    return 2 * ((words(SEED_WEIGHTS, name, count) >> np.uint32(8)).astype(np.float64) / (1 << 24)) - 1


def generate(name, shape):
    """Returns the parameter with a torchvision name, in float32. The stream's i-th number belongs to element i in PyTorch's order."""
    count = int(np.prod(shape))
    if name.endswith("running_mean"):
        v = np.zeros(count)
    elif name.endswith("running_var"):
        v = np.ones(count)
    elif len(shape) == 4:  # filters: uniform with variance 2/fan_in
        v = np.sqrt(6 / (count // shape[0])) * symmetric(name, count)
    elif len(shape) == 2:  # linear layers: uniform with variance 1/fan_in
        v = np.sqrt(3 / shape[1]) * symmetric(name, count)
    elif name.endswith(".weight"):  # batch normalisation's scale, in [0.5, 1.5)
        v = 1 + 0.5 * symmetric(name, count)
    else:  # biases and shifts
        v = 0.2 * symmetric(name, count)
    return v.astype(np.float32).reshape(shape)


def generate_batch(n, size, draw=0, classes=1000):
    """Returns images (n, 3, size, size), uniform in [-2, 2) and different for each draw, and labels."""
    images = (2 * symmetric(f"images {draw}" if draw else "images", n * 3 * size * size)).astype(np.float32).reshape(n, 3, size, size)
    return images, (words(SEED_WEIGHTS, "labels", n) % np.uint32(classes)).astype(np.int64)


# ---------------------------------------------------------------- safetensors

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def save(path, tensors):
    header, at = {}, 0
    for name, t in tensors.items():
        dtype = next(k for k, v in DTYPES.items() if v == t.dtype)
        header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(np.ascontiguousarray(t).tobytes())


def load(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(n)), f.read()
    header.pop("__metadata__", None)
    out = {}
    for name, e in header.items():
        a, b = e["data_offsets"]
        out[name] = np.frombuffer(data[a:b], DTYPES[e["dtype"]]).reshape(e["shape"])
    return out


# ---------------------------------------------------------------- networks

HEAD_WEIGHTS = {
    "googlenet": {"aux1": 0.3, "aux2": 0.3},
    "googlenet2014": {"aux1": 0.3, "aux2": 0.3},
    "inception_v3": {"aux": 0.4},
    "inception_v4": {"aux": 0.4},
    "inception_resnet_v2": {"aux": 0.4},
}


def build(name, size=None, state=None):
    """Returns the network with heads for images of size² (which only matters to some heads), in float32 and training mode, without
    dropout. Its weights are those of state (arrays by name), or generated ones."""
    import torch
    import torchvision
    from googlenet2014 import GoogLeNet2014
    from slim import with_head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kw = dict(weights=None, aux_logits=True, init_weights=False, transform_input=False, dropout=0.0)
        model = {
            "googlenet": lambda: torchvision.models.googlenet(dropout_aux=0.0, **kw),
            "inception_v3": lambda: torchvision.models.inception_v3(**kw),
            "googlenet2014": lambda: GoogLeNet2014(size or 224),
            "inception_v4": lambda: with_head("inception_v4", size or 299),
            "inception_resnet_v2": lambda: with_head("inception_resnet_v2", size or 299),
        }[name]()
    if state is None:
        state = {k: generate(k, tuple(v.shape)) for k, v in model.state_dict().items() if v.dtype.is_floating_point}
    state = {k: torch.from_numpy(np.array(v)) for k, v in state.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(k.endswith("num_batches_tracked") for k in missing), (missing, unexpected)
    return model.train()


def heads(name, model, images):
    """Returns logits by head. Hooks identify torchvision's outputs by the layer of the head, not by position, because up to 2024
    torchvision swapped GoogLeNet's aux1 and aux2."""
    found, hooks = {}, []
    modules = {"aux1": "aux1", "aux2": "aux2"} if name.startswith("googlenet") else {"AuxLogits": "aux"}
    for attr, head in modules.items():
        hooks.append(getattr(model, attr).register_forward_hook(lambda m, i, o, head=head: found.__setitem__(head, o)))
    out = model(images)
    for h in hooks:
        h.remove()
    return {"main": out if not isinstance(out, tuple) else out[0], **found}


def step(name, images, labels, dtype, weights=None, state=None):
    """Runs one forward and backward pass. Returns losses (with total), logits, gradients by parameter name, and the running statistics
    afterwards."""
    import torch
    model = build(name, images.shape[2], state).to(dtype)
    weights = weights or HEAD_WEIGHTS[name]
    logits = heads(name, model, torch.from_numpy(np.array(images)).to(dtype))
    y = torch.from_numpy(np.array(labels))
    losses = {h: torch.nn.functional.cross_entropy(v, y) for h, v in logits.items()}
    total = losses["main"] + sum(w * losses[h] for h, w in weights.items())
    total.backward()
    losses["total"] = total
    return {
        "losses": {h: float(v) for h, v in losses.items()},
        "logits": {h: v.detach().numpy() for h, v in logits.items()},
        "gradients": {k: p.grad.numpy() for k, p in model.named_parameters()},
        "statistics": {k: v.numpy() for k, v in model.named_buffers() if "running" in k},
    }


# ---------------------------------------------------------------- errors and digests

def relative(a, b):
    """Returns the relative L2 error of a against the reference b, in float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    scale = np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / (scale if scale > 0 else 1))


def projections(name, v, count=PROJECTIONS):
    """Returns dot products of v with count vectors of random signs. Bit j of word i of the stream (SEED_PROJECTION, name) is set if
    element i counts negative in projection j."""
    w = words(SEED_PROJECTION, name, v.size)
    v = np.asarray(v, np.float64).reshape(-1)
    return [float(np.dot(v, 1.0 - 2.0 * ((w >> np.uint32(j)) & np.uint32(1)).astype(np.float64))) for j in range(count)]


def short(x):
    return float("%.13g" % x)


def digest(name, v, count=PROJECTIONS):
    v = np.asarray(v, np.float64)
    flat = v.reshape(-1)
    samples = [int(i) for i in words(SEED_PROJECTION, name + "#samples", 3) % np.uint32(flat.size)]
    return {
        "norm": short(np.linalg.norm(flat)),
        "sum": short(flat.sum()),
        "projections": [short(p) for p in projections(name, v, count)],
        "samples": [[i, short(flat[i])] for i in samples],
    }


def sha256(arrays):
    h = hashlib.sha256()
    for a in arrays:
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()
