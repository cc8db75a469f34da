#!/usr/bin/env python3
"""Compares `tributary grads` with PyTorch on whole tensors: for each case it generates weights and images, computes PyTorch's gradients
in float64 and float32 and Tributary's in both, and runs compare.py. `make parity` runs this. With DRAWS it uses that many batches and
compares the medians of the gradients' errors over the batches, for cases in which a handful of flipped ReLUs cause each error.

    python3 parity.py --tributary build/tributary                      all cases
    python3 parity.py --tributary build/tributary --cases googlenet:224:4 --device cuda:0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--tributary", required=True, help="the program")
p.add_argument("--cases", nargs="+", default=["googlenet:96:16", "googlenet:224:8", "googlenet2014:96:2", "inception_v3:299:2",
                                                   "inception_v4:139:4", "inception_resnet_v2:139:4"],
               metavar="NETWORK:SIZE:BATCH[:DRAWS]")
p.add_argument("--device", default="cpu", help="of Tributary's float32 run; float64 runs on the CPU")
p.add_argument("--threads", default="1", help="of PyTorch")
p.add_argument("--keep", help="folder for the files, which are kept; without it they are temporary")
a = p.parse_args()


def run(*command):
    subprocess.run([str(c) for c in command], check=True)


def case(network, size, batch, draws="1", folder="."):
    errors = []
    ok = True
    for n in range(int(draws)):
        path = {k: os.path.join(folder, f"{network}_{size}_{n}_{k}.safetensors") for k in ("weights", "data", "t64", "t32", "g64", "g32")}
        ok &= draw(network, size, batch, n, path, errors if int(draws) > 1 else None)
    for what in ("worst", "median") if errors else ():
        ours, theirs = (statistics.median(e[what][i] for e in errors) for i in (0, 1))
        fine = ours <= 2 * theirs
        print(f"{'ok  ' if fine else 'FAIL'} {what} gradient, median of {draws} batches: {ours:.3g} (at most {2 * theirs:.3g})", flush=True)
        ok &= fine
    return ok


def draw(network, size, batch, n, path, errors):
    script = lambda name: [sys.executable, os.path.join(HERE, name)]
    inputs = ["--weights", path["weights"]]
    run(*script("inputs.py"), network, "--size", size, "--batch", batch, "--draw", n, *inputs, "--data", path["data"])
    ok = True
    for bits in ("64", "32"):
        run(*script("torch_grads.py"), network, *inputs, "--data", path["data"], "--precision", "fp" + bits, "--threads", a.threads,
            "--out", path["t" + bits])
        run(a.tributary, "grads", "--model", network, *inputs, "--batch", path["data"], "--precision", "fp" + bits,
            "--device", a.device if bits == "32" else "cpu", "--out", path["g" + bits])
        print(f"--- {network} {size}x{size} batch {batch} fp{bits}" + (f", draw {n}" if n else ""), flush=True)
        own = ["--torch", path["t32"]] if bits == "32" else []
        if own and errors is not None:
            own += ["--errors", path["g32"] + ".json"]
        ok &= subprocess.run(script("compare.py") + ["--reference", path["t64"], "--tributary", path["g" + bits], "--precision",
                                                     "fp" + bits] + own).returncode == 0
        if "--errors" in own:
            with open(own[-1]) as f:
                errors.append(json.load(f))
    return ok


with tempfile.TemporaryDirectory() as tmp:
    if a.keep:
        os.makedirs(a.keep, exist_ok=True)
    results = {c: case(*c.split(":"), folder=a.keep or tmp) for c in a.cases}
for c, ok in results.items():
    print("ok  " if ok else "FAIL", c)
sys.exit(0 if all(results.values()) else 1)
