#!/usr/bin/env python3
"""Computes one training step in float64 with PyTorch and writes a fixture, with which Go tests check a backend without PyTorch.

    python3 make_fixture.py googlenet --size 224 --batch 4 --out testdata/googlenet_224.json

For the logits and every parameter's gradient g the fixture has the L2 norm, the sum, 16 dot products with vectors of random signs,
and three elements. For an error e = g' - g and a vector r of independent random signs, E[(r·e)²] = |e|². So the root of the mean of
(r·g' - r·g)² over 16 projections estimates |e|, the error of a whole tensor, from 16 numbers (standard deviation 18 %). The estimate
is below a third of |e| with probability 1e-5.

The fixture also has the errors of PyTorch's own float32 results against its float64 results, for each tensor, and the hash of the
generated inputs.
"""
import argparse
import json
import sys

import numpy as np
import torch
import torchvision

from common import HEAD_WEIGHTS, build, digest, generate_batch, relative, sha256, step

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("network", choices=HEAD_WEIGHTS)
p.add_argument("--size", type=int, required=True)
p.add_argument("--batch", type=int, required=True)
p.add_argument("--out", required=True)
p.add_argument("--threads", type=int, default=1)
a = p.parse_args()
torch.set_num_threads(a.threads)

images, labels = generate_batch(a.batch, a.size)
state = build(a.network, a.size).state_dict()
weights = [state[k].numpy() for k in sorted(state) if state[k].dtype.is_floating_point]
ref = step(a.network, images, labels, torch.float64)
own = step(a.network, images, labels, torch.float32)

errors = {k: relative(own["gradients"][k], g) for k, g in ref["gradients"].items()}
out = {
    "network": a.network, "size": a.size, "batch": a.batch,
    "made_with": f"torch {torch.__version__}, torchvision {torchvision.__version__}",
    "weights_sha256": sha256(weights), "batch_sha256": sha256([images, labels]),
    "labels": labels.tolist(), "head_weights": HEAD_WEIGHTS[a.network],
    "losses": ref["losses"],
    "float32": {
        "losses": {h: abs(own["losses"][h] / v - 1) for h, v in ref["losses"].items()},
        "worst": max(errors.values()), "median": float(np.median(list(errors.values()))),
    },
    "logits": {h: digest("logits." + h, v) for h, v in ref["logits"].items()},
    "gradients": {k: {**digest(k, g), "float32": float("%.3g" % errors[k])} for k, g in ref["gradients"].items()},
    "statistics": {k: digest(k, v, 4) for k, v in ref["statistics"].items()},
}


def lines(key):
    return "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in out[key].items()) + "\n }"


with open(a.out, "w") as f:
    f.write("{\n" + ",\n".join(
        f" {json.dumps(k)}: {lines(k) if k in ('logits', 'gradients', 'statistics') else json.dumps(v)}" for k, v in out.items()) + "\n}\n")
print(a.out, out["losses"], out["float32"], file=sys.stderr)
for k in sorted(errors, key=errors.get)[-5:]:
    print("  ", k, errors[k], file=sys.stderr)
