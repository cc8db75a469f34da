#!/usr/bin/env python3
"""Measures PyTorch's best training steps of torchvision's networks on one GPU, for comparison with Tributary's.

usage: torch_baseline.py [--modes eager,graph,compile] [--seconds S] [--quick] [--device cuda|cpu] [--ceilings] [MODEL:SIZE:BATCH ...]

The step is that of bench.BenchmarkGPUStep: every auxiliary head, cross entropy on each, SGD with momentum 0.9 and weight decay 1e-4.
Images are bytes in pinned memory. They are copied on a stream of their own while the previous step computes, and are normalised on the
GPU. The mode eager is PyTorch by default, graph is the whole step in one CUDA graph, and compile is torch.compile with max-autotune,
which takes minutes.

The script prints one JSON object a line: the versions, then a row for each configuration. A rate is the median over windows of five
steps; peak_mib is the memory of PyTorch's allocator. A configuration that fails has an error in its row, and the others go on.
--ceilings prints the rates of a copy within the device and of a product of matrices. --quick is for trying the script; its measurements
mean nothing.
"""
import argparse, gc, json, platform, statistics, time

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("cases", nargs="*", metavar="MODEL:SIZE:BATCH")
ap.add_argument("--modes", default="eager,graph,compile")
ap.add_argument("--seconds", type=float, default=3.0, help="to measure a configuration for")
ap.add_argument("--quick", action="store_true")
ap.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
ap.add_argument("--ceilings", action="store_true")
a = ap.parse_args()
import torch, torchvision

cuda = a.device == "cuda"
WEIGHTS = {"googlenet": 0.3, "inception_v3": 0.4}  # of the heads' losses
# The most important come first, because time may run out.
CONFIGURATIONS = [("bf16", "nhwc", "eager"), ("bf16", "nhwc", "graph"), ("tf32", "nhwc", "eager"), ("fp32", "nchw", "eager"),
                  ("tf32", "nchw", "eager"), ("bf16", "nhwc", "compile"), ("tf32", "nhwc", "compile")]


def sync():
    if cuda:
        torch.cuda.synchronize()


class Feed:
    """Batches of pixels in pinned memory. next() puts one into self.pixels and starts to copy the following one."""

    def __init__(self, batch, size):
        self.host = [torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8) for _ in range(2)]
        self.pixels = torch.empty_like(self.host[0], device=a.device)
        self.count = 0
        if cuda:
            self.host = [h.pin_memory() for h in self.host]
            self.staged = torch.empty_like(self.pixels)
            self.stream, self.arrived, self.taken = torch.cuda.Stream(), torch.cuda.Event(), torch.cuda.Event()
            self.fetch()

    def fetch(self):
        with torch.cuda.stream(self.stream):
            self.stream.wait_event(self.taken)
            self.staged.copy_(self.host[self.count & 1], non_blocking=True)
            self.arrived.record()
        self.count += 1

    def next(self):
        if not cuda:
            self.pixels.copy_(self.host[0])
            return
        torch.cuda.current_stream().wait_event(self.arrived)
        self.pixels.copy_(self.staged)
        self.taken.record()
        self.fetch()


def measure(model, size, batch, precision, layout, mode, heads):
    """Returns the figures of one configuration."""
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.benchmark = True
    memory = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net = getattr(torchvision.models, model)(weights=None, init_weights=False, aux_logits=heads).to(a.device, memory_format=memory).train()
    opt = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, **({"fused": True} if cuda else {"foreach": True}))
    loss = torch.nn.CrossEntropyLoss()
    feed = Feed(batch, size)
    labels = torch.randint(0, 1000, (batch,), device=a.device)
    mean = torch.tensor([123.675, 116.28, 103.53], device=a.device).view(1, 3, 1, 1)
    scale = 1 / torch.tensor([58.395, 57.12, 57.375], device=a.device).view(1, 3, 1, 1)

    def forward(pixels):
        x = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=memory).sub_(mean).mul_(scale)
        with torch.autocast(a.device, torch.bfloat16, enabled=precision == "bf16"):
            out = net(x)
            if torch.is_tensor(out):
                return loss(out, labels)
            return sum((1.0 if i == 0 else WEIGHTS[model]) * loss(z, labels) for i, z in enumerate(out) if z is not None)

    if mode == "compile":
        forward = torch.compile(forward, mode="max-autotune")

    def compute():
        opt.zero_grad(set_to_none=True)
        forward(feed.pixels).backward()
        opt.step()

    if mode == "graph":
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                compute()
        torch.cuda.current_stream().wait_stream(side)
        opt.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            compute()
        compute = graph.replay

    def run(steps):
        for _ in range(steps):
            feed.next()
            compute()
        sync()

    run(1 if a.quick else 8)
    if cuda:  # memory for the trials of cuDNN's algorithms does not belong to the step
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    run(1 if a.quick else 3)
    window, rates, begin = 1 if a.quick else 5, [], time.perf_counter()
    while len(rates) < 3 or not a.quick and time.perf_counter() - begin < a.seconds:
        t = time.perf_counter()
        run(window)
        rates.append(batch * window / (time.perf_counter() - t))
    rate = statistics.median(rates)
    return {"images_per_s": round(rate, 1), "ms_per_step": round(1e3 * batch / rate, 3), "windows": len(rates),
            "peak_mib": round(torch.cuda.max_memory_reserved() / 2**20) if cuda else None}


def ceilings():
    """Returns the device's rates: GB/s of a copy, counting bytes read and written, and TFLOP/s of a bf16 product on random data."""

    def seconds(f, times):
        for _ in range(3):
            f()
        sync()
        t = time.perf_counter()
        for _ in range(times):
            f()
        sync()
        return (time.perf_counter() - t) / times

    n, size = (2**24, 256) if a.quick else (2**32, 8192)
    x = torch.empty(n, dtype=torch.uint8, device=a.device)
    y = torch.empty_like(x)
    copy = 2 * n / seconds(lambda: y.copy_(x), 20)
    del x, y
    x, y = (torch.randn(size, size, device=a.device).to(torch.bfloat16) for _ in range(2))
    product = 2 * size**3 / seconds(lambda: x @ y, 20)
    return {"copy_gb_per_s": round(copy / 1e9, 1), "bf16_product_tflop_per_s": round(product / 1e12, 2)}


def main():
    print(json.dumps({"device": torch.cuda.get_device_name() if cuda else platform.processor(), "torch": torch.__version__,
                      "torchvision": torchvision.__version__, "cudnn": torch.backends.cudnn.version() if cuda else None}), flush=True)
    if a.ceilings:
        print(json.dumps(ceilings()), flush=True)
    for case in a.cases:
        model, size, batch = case.split(":")
        for precision, layout, mode in CONFIGURATIONS:
            if mode not in a.modes.split(",") or mode != "eager" and not cuda:
                continue
            for heads in [True, False] if precision == "bf16" else [True]:
                row = {"model": model, "size": int(size), "batch": int(batch), "precision": precision, "layout": layout, "mode": mode,
                       "heads": heads}
                try:
                    row.update(measure(model, int(size), int(batch), precision, layout, mode, heads))
                except Exception as e:
                    row["error"] = f"{type(e).__name__}: {e}"[:300]
                print(json.dumps(row), flush=True)
                if hasattr(torch, "_dynamo"):
                    torch._dynamo.reset()
                gc.collect()  # otherwise the next configuration's peak would include this one's memory
                if cuda:
                    torch.cuda.empty_cache()


main()
