#!/usr/bin/python3
"""Whole training steps on the CPU: Tributary beside PyTorch on the same machine, in turns, and their ratio.

usage: cpu_vs_torch.py [--threads N] [--rounds N] [--out FILE.json]

Each round runs PyTorch's step and then `go test -bench`, so a noisy moment of the machine strikes both. A figure is the best
round. PyTorch runs torchvision's networks channels_last in float32 with every auxiliary head, cross entropy on each head and
SGD with momentum 0.9 and weight decay 1e-4 (foreach): the same step as bench.BenchmarkStep.
"""
import argparse, json, os, platform, re, subprocess, time

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--threads", type=int, default=os.cpu_count())
ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("--out", help="write the figures as JSON")
a = ap.parse_args()
os.environ["OMP_NUM_THREADS"] = str(a.threads)
for blas in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(blas, None)
import torch, torchvision

torch.set_num_threads(a.threads)
CASES = [("googlenet", 224, 8, 0.3), ("inception_v3", 299, 2, 0.4)]


def torch_rate(model, size, batch, weight, steps=4):
    """Images per second of PyTorch's step: the best of a few steps after two to warm up."""
    torch.manual_seed(1)
    net = getattr(torchvision.models, model)(weights=None, init_weights=False, aux_logits=True)
    net = net.to(memory_format=torch.channels_last).train()
    opt = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, foreach=True)
    loss = torch.nn.CrossEntropyLoss()
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 1000, (batch,))
    best = 1e9
    for i in range(steps + 2):
        t = time.perf_counter()
        opt.zero_grad(set_to_none=True)
        out = net(x)
        total = sum((1.0 if j == 0 else weight) * loss(z, y) for j, z in enumerate(out))
        total.backward()
        opt.step()
        if i >= 2:
            best = min(best, time.perf_counter() - t)
    return batch / best


def go_rate(model, size, batch):
    """Images per second of bench.BenchmarkStep."""
    name = f"^BenchmarkStep$/^{model}$/^{size}px$/^batch{batch}$/^heads$"
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    env = dict(os.environ, GOMAXPROCS=str(a.threads))
    out = subprocess.run(["go", "test", "-run", "^$", "-bench", name, "-benchtime", "2x", "-count", "3", "./bench"],
                         cwd=root, env=env, check=True, capture_output=True, text=True).stdout
    rates = [float(r) for r in re.findall(r"([\d.]+) img/s", out)]
    if not rates:
        raise SystemExit("go test -bench printed no rate:\n" + out)
    return max(rates)


def main():
    rows = []
    for model, size, batch, weight in CASES:
        ours, theirs = [], []
        for _ in range(a.rounds):
            theirs.append(torch_rate(model, size, batch, weight))
            ours.append(go_rate(model, size, batch))
        rows.append({"model": model, "size": size, "batch": batch, "threads": a.threads, "heads": True,
                     "tributary_images_per_s": round(max(ours), 2), "torch_images_per_s": round(max(theirs), 2),
                     "ratio": round(max(ours) / max(theirs), 3)})
        r = rows[-1]
        print(f"{model:14} {size}² batch {batch}, {a.threads} threads: Tributary {r['tributary_images_per_s']:6.2f} img/s, "
              f"PyTorch {torch.__version__} channels_last {r['torch_images_per_s']:6.2f} img/s, ratio {r['ratio']:.2f}", flush=True)
    if a.out:
        with open("/proc/cpuinfo") as f:
            cpu = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), platform.processor())
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        with open(a.out, "w") as f:
            json.dump({"cpu": cpu, "torch": torch.__version__, "commit": commit, "command": "make bench-cpu", "rows": rows}, f, indent=1)
            f.write("\n")


main()
