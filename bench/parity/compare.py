#!/usr/bin/env python3
"""Compares the output of `tributary grads` with PyTorch's float64 reference, tensor by tensor, and reports whether the bars are met.

    python3 compare.py --reference T64.safetensors --tributary G64.safetensors --precision fp64
    python3 compare.py --reference T64.safetensors --tributary G32.safetensors --precision fp32 --torch T32.safetensors

fp64: every loss within 1e-10 (relative), every parameter's gradient within 1e-7 (relative L2).
fp32: every loss within 1e-4; the worst and the median gradient error at most twice PyTorch's own in float32 (--torch). With --errors
the errors go to a file instead, for a verdict over several batches.
A gradient that is zero up to rounding has no relative error, such as the gradient of a bias that batch normalisation cancels
(block8.conv2d.bias). Its size must be below 1e-9 of the median gradient's, and in fp32 at most twice PyTorch's.
The exit status is 1 if a bar is missed or the files do not have the same gradients. The script needs only numpy.
"""
import argparse
import json
import sys

import numpy as np

from common import load, relative

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--reference", required=True)
p.add_argument("--tributary", required=True)
p.add_argument("--torch", help="PyTorch's float32 results; needed for fp32")
p.add_argument("--errors", metavar="FILE", help="for the worst and the median gradient error, ours and PyTorch's, in JSON")
p.add_argument("--precision", choices=["fp32", "fp64"], required=True)
p.add_argument("--list", action="store_true", help="print every tensor")
a = p.parse_args()
if a.precision == "fp32" and not a.torch:
    p.error("--precision fp32 needs --torch")

ref, got = load(a.reference), load(a.tributary)
own = load(a.torch) if a.torch else None
failed = []


def check(what, error, bar):
    ok = error <= bar  # False for NaN
    print(f"{'ok  ' if ok else 'FAIL'} {what}: {error:.3g} (at most {bar:.3g})")
    if not ok:
        failed.append(what)


missing, unexpected = sorted(ref.keys() - got.keys()), sorted(got.keys() - ref.keys())
if missing or unexpected:
    print(f"FAIL missing: {missing}; unexpected: {unexpected}")
    failed.append("names")
both = [k for k in ref if k in got]
for k in both:
    if ref[k].shape != got[k].shape:
        sys.exit(f"FAIL {k}: shape {got[k].shape}, the reference's is {ref[k].shape}")

for k in both:
    if k.startswith("loss."):
        check(k, abs(float(got[k]) / float(ref[k]) - 1), 1e-10 if a.precision == "fp64" else 1e-4)
    elif k.startswith("logits."):
        print(f"     {k}: {relative(got[k], ref[k]):.3g}")

grads = [k for k in both if not k.startswith(("loss.", "logits."))]
if not grads:
    sys.exit("FAIL no gradients")
sizes = {k: float(np.linalg.norm(ref[k])) for k in grads}
usual = float(np.median(list(sizes.values())))
for k in [k for k in grads if sizes[k] < 1e-9 * usual]:
    grads.remove(k)
    share = lambda t: float(np.linalg.norm(t[k])) / usual
    check(f"{k}, zero but for rounding, in median gradients", share(got), 1e-9 if a.precision == "fp64" else 2 * share(own))
errors = {k: relative(got[k], ref[k]) for k in grads}
if a.list:
    for k in grads:
        print(f"     {k} {errors[k]:.3g}" + (f" (PyTorch {relative(own[k], ref[k]):.3g})" if own else ""))
nan = [k for k in grads if not np.isfinite(errors[k])]
if nan:
    print("FAIL not finite:", nan)
    failed.append("finite")
worst, median = max(grads, key=errors.get), float(np.median(list(errors.values())))
if a.precision == "fp64":
    check(f"worst of {len(grads)} gradients, {worst}", errors[worst], 1e-7)
    print(f"     median: {median:.3g}")
else:
    theirs = {k: relative(own[k], ref[k]) for k in grads}
    w, m = max(theirs, key=theirs.get), float(np.median(list(theirs.values())))
    print(f"     PyTorch float32: worst {theirs[w]:.3g} ({w}), median {m:.3g}")
    if a.errors:
        print(f"     worst of {len(grads)} gradients: {errors[worst]:.3g} ({worst}), median {median:.3g}")
        with open(a.errors, "w") as f:
            json.dump({"worst": [errors[worst], theirs[w]], "median": [median, m]}, f)
    else:
        check(f"worst of {len(grads)} gradients, {worst}", errors[worst], 2 * theirs[w])
        check("median gradient", median, 2 * m)
sys.exit(1 if failed else 0)
