#!/usr/bin/env python3
"""Writes generated weights and a generated batch for `tributary grads` and torch_grads.py.

    python3 inputs.py googlenet --size 224 --batch 4 --weights W.safetensors --data B.safetensors
"""
import argparse

from common import HEAD_WEIGHTS, build, generate_batch, save

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("network", choices=HEAD_WEIGHTS)
p.add_argument("--size", type=int, required=True)
p.add_argument("--batch", type=int, required=True)
p.add_argument("--draw", type=int, default=0, help="other images with every number")
p.add_argument("--weights", required=True)
p.add_argument("--data", required=True)
a = p.parse_args()

save(a.weights, {k: v.numpy() for k, v in build(a.network, a.size).state_dict().items()})
images, labels = generate_batch(a.batch, a.size, a.draw)
save(a.data, {"images": images, "labels": labels})
