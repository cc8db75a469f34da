#!/usr/bin/env python3
"""Compares `tributary grads` with PyTorch on whole tensors: for each case generated weights and images, PyTorch's gradients in
float64 and float32, Tributary's in both, and compare.py's verdict. `make parity` runs this.

    python3 parity.py --tributary build/tributary                      all cases
    python3 parity.py --tributary build/tributary --cases googlenet:224:4 --device cuda:0
"""
import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--tributary", required=True, help="the program")
p.add_argument("--cases", nargs="+", default=["googlenet:96:16", "googlenet:224:8", "googlenet2014:96:2", "inception_v3:299:2"],
               metavar="NETWORK:SIZE:BATCH")
p.add_argument("--device", default="cpu", help="of Tributary's float32 run; float64 runs on the CPU")
p.add_argument("--threads", default="1", help="of PyTorch")
p.add_argument("--keep", help="folder for the files, which are kept; without it they are temporary")
a = p.parse_args()


def run(*command):
    subprocess.run([str(c) for c in command], check=True)


def case(network, size, batch, folder):
    path = {k: os.path.join(folder, f"{network}_{size}_{k}.safetensors") for k in ("weights", "data", "t64", "t32", "g64", "g32")}
    script = lambda name: [sys.executable, os.path.join(HERE, name)]
    inputs = ["--weights", path["weights"]]
    run(*script("inputs.py"), network, "--size", size, "--batch", batch, *inputs, "--data", path["data"])
    ok = True
    for bits in ("64", "32"):
        run(*script("torch_grads.py"), network, *inputs, "--data", path["data"], "--precision", "fp" + bits, "--threads", a.threads,
            "--out", path["t" + bits])
        run(a.tributary, "grads", "--model", network, *inputs, "--batch", path["data"], "--precision", "fp" + bits,
            "--device", a.device if bits == "32" else "cpu", "--out", path["g" + bits])
        print(f"--- {network} {size}x{size} batch {batch} fp{bits}", flush=True)
        own = ["--torch", path["t32"]] if bits == "32" else []
        ok &= subprocess.run(script("compare.py") + ["--reference", path["t64"], "--tributary", path["g" + bits], "--precision",
                                                     "fp" + bits] + own).returncode == 0
    return ok


with tempfile.TemporaryDirectory() as tmp:
    if a.keep:
        os.makedirs(a.keep, exist_ok=True)
    results = {c: case(*c.split(":"), a.keep or tmp) for c in a.cases}
for c, ok in results.items():
    print("ok  " if ok else "FAIL", c)
sys.exit(0 if all(results.values()) else 1)
