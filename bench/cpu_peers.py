#!/usr/bin/python3
"""Compares Tributary with its peers on the same CPU, in turns, and prints the ratios: whole training steps, and one convolution layer.

usage: cpu_peers.py [--threads N] [--rounds N] [--out FILE.json]

Each round runs the peers and then `go test -bench`, so that a disturbance of the machine affects all. A figure is that of the best round.
Steps: PyTorch runs torchvision's networks channels_last in float32 with every auxiliary head, cross entropy on each head and
SGD with momentum 0.9 and weight decay 1e-4 (foreach): the same step as bench.BenchmarkStep.
Layer: GoogLeNet's conv3 (3x3, 64 to 192 channels, 56², batch 8), forward with both gradients, in PyTorch, in Gorgonia, and
forward alone in GoMLX (bench/peers).
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
    """Returns the images per second of PyTorch's step: the best of a few steps, after two to warm up."""
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


def go_bench(package, name, unit, benchtime="2x", count=3, folder="."):
    """Runs go test -bench and returns the values in a unit, as a list for each benchmark."""
    root = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), folder)
    env = dict(os.environ, GOMAXPROCS=str(a.threads))
    run = subprocess.run(["go", "test", "-run", "^$", "-bench", name, "-benchtime", benchtime, "-count", str(count), package],
                         cwd=root, env=env, capture_output=True, text=True)
    found = {}
    for bench, value in re.findall(r"^(Benchmark\S+)\s.*?([\d.]+) " + re.escape(unit) + r"\b", run.stdout, re.M):
        found.setdefault(re.sub(r"-\d+$", "", bench), []).append(float(value))
    if run.returncode or not found:
        raise SystemExit(f"go test -bench {name} {package} failed:\n{run.stdout}{run.stderr}")
    return found


def go_rate(model, size, batch):
    """Returns the images per second of bench.BenchmarkStep."""
    return max(sum(go_bench("./bench", f"^BenchmarkStep$/^{model}$/^{size}px$/^batch{batch}$/^heads$", "img/s").values(), []))


LAYER_FLOPS = 2 * 8 * 56 * 56 * 9 * 64 * 192  # of the forward pass, and of each gradient


def torch_layer():
    """Returns the GFLOP/s of PyTorch at the layer, forward with both gradients."""
    conv = torch.nn.Conv2d(64, 192, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    x = torch.randn(8, 64, 56, 56).contiguous(memory_format=torch.channels_last).requires_grad_()
    dy = torch.randn(8, 192, 56, 56).contiguous(memory_format=torch.channels_last)
    best = 1e9
    for _ in range(8):
        t = time.perf_counter()
        conv(x).backward(dy)
        best = min(best, time.perf_counter() - t)
    return 3 * LAYER_FLOPS / best / 1e9


def go_layer():
    """Returns the GFLOP/s of Tributary at the layer, forward with both gradients. Operations are counted as in the definition."""
    found = go_bench("./cpu/internal/conv", "^Benchmark(Forward|BackwardData|BackwardFilter)$/^conv3-3x3$/^n=8$", "ns/op", "10x")
    return 3 * LAYER_FLOPS / sum(min(v) for v in found.values())


def main():
    rows = []
    for model, size, batch, weight in CASES:
        ours, theirs = [], []
        for _ in range(a.rounds):
            theirs.append(torch_rate(model, size, batch, weight))
            ours.append(go_rate(model, size, batch))
        rows.append({"what": "training step with heads, images/s", "case": f"{model} {size}x{size} batch {batch}",
                     "tributary": round(max(ours), 2), f"torch {torch.__version__} channels_last": round(max(theirs), 2),
                     "ratio_to_torch": round(max(ours) / max(theirs), 3)})
        print(json.dumps(rows[-1]), flush=True)
    ours, theirs = [], []
    for _ in range(a.rounds):
        theirs.append(torch_layer())
        ours.append(go_layer())
    peers = go_bench(".", ".", "GFLOP/s", "1x", 2, "bench/peers")
    rows.append({"what": "convolution 3x3 64 to 192 at 56x56 batch 8, GFLOP/s", "case": "forward and both gradients",
                 "tributary": round(max(ours), 1), f"torch {torch.__version__} channels_last": round(max(theirs), 1),
                 "gorgonia 0.9.18": round(max(peers["BenchmarkGorgonia"]), 1),
                 "gomlx 0.27.0 pure Go, forward alone": round(max(peers["BenchmarkGoMLXForward"]), 2),
                 "ratio_to_torch": round(max(ours) / max(theirs), 3)})
    print(json.dumps(rows[-1]), flush=True)
    if a.out:
        with open("/proc/cpuinfo") as f:
            cpu = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), platform.processor())
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        with open(a.out, "w") as f:
            json.dump({"cpu": cpu, "threads": a.threads, "date": time.strftime("%Y-%m-%d"), "commit": commit, "command": "make bench-cpu",
                       "rows": rows}, f, indent=1)
            f.write("\n")


main()
