#!/usr/bin/env python3
"""Does the work of `tributary grads` with PyTorch: it reads a weights file and a batch file, and writes losses, logits and every
parameter's gradient of one step under the same names. Batch normalisation is in training mode, and dropout is off.

    python3 torch_grads.py googlenet --weights W.safetensors --data B.safetensors --precision fp64 --out T64.safetensors
"""
import argparse

import numpy as np
import torch

from common import HEAD_WEIGHTS, load, save, step

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("network", choices=HEAD_WEIGHTS)
p.add_argument("--weights", required=True)
p.add_argument("--data", required=True)
p.add_argument("--head-weights", help="aux1=0.3,aux2=0.3; without it the paper's")
p.add_argument("--precision", choices=["fp32", "fp64"], required=True)
p.add_argument("--threads", type=int, default=1)
p.add_argument("--out", required=True)
a = p.parse_args()
torch.set_num_threads(a.threads)

weights = None
if a.head_weights:
    weights = {k: float(v) for k, v in (item.split("=") for item in a.head_weights.split(","))}
batch = load(a.data)
dtype = {"fp32": torch.float32, "fp64": torch.float64}[a.precision]
r = step(a.network, batch["images"], batch["labels"], dtype, weights, load(a.weights))
out = dict(r["gradients"])
out.update({f"loss.{h}": np.array(v, np.float64) for h, v in r["losses"].items()})
out.update({f"logits.{h}": v for h, v in r["logits"].items()})
save(a.out, out)
