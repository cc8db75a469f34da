#!/usr/bin/python3
"""Compares Tributary's loader of photographs with torchvision's, on the same files, in turns, and prints the ratios.

usage: loader.py [--photos FOLDER] [--rounds N] [--cores N] [--out FILE.json]

The work is to read the file, decode it, cut out a random piece (RandomResizedCrop), resize it to 224 pixels, mirror half of the images,
and make batches of 64 images of bytes. torchvision does it in a DataLoader over an ImageFolder, once with PIL and once with
torchvision.io's decoder and tensors. It uses one process for each core, or only its own for a single core. Tributary does it in
bench.BenchmarkLoader. All are bound to the same cores. Each round runs all of them, one after another, so that a disturbance of the
machine affects all. A figure is the median of the rounds.

Without --photos the photographs are crops of four in scikit-image (astronaut, coffee, chelsea, rocket; make bench-loader fetches them),
resized to 500x375 and saved at quality 90 with 4:2:0 chroma. The script needs torch, torchvision, Pillow and Go.
"""
import argparse, json, os, platform, random, re, statistics, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--photos", help="folder of class folders; made if left out")
ap.add_argument("--rounds", type=int, default=7)
ap.add_argument("--cores", type=int, action="append", help="cores to use; may be repeated (1 and 2)")
ap.add_argument("--seconds", type=float, default=2, help="of each measurement")
ap.add_argument("--out", help="write the figures as JSON")
ap.add_argument("--peer", help=argparse.SUPPRESS)  # measures torchvision in a separate process
a = ap.parse_args()
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATCH = 64


def make_photos(folder, count=400):
    """Writes crops of four photographs, as files of the size and the quality of ImageNet's."""
    from PIL import Image
    names = ["astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg"]
    source = os.path.join(ROOT, "build/skimage/skimage/data")
    images = [Image.open(os.path.join(source, n)).convert("RGB") for n in names]
    rng = random.Random(1)
    for i in range(count):
        im = images[i % len(images)]
        w = min(im.width, im.height * 4 / 3) * rng.uniform(0.8, 1)
        x, y = rng.uniform(0, im.width - w), rng.uniform(0, im.height - w * 0.75)
        for part in ("train", "val")[: 2 if i < 8 else 1]:
            path = os.path.join(folder, part, names[i % len(images)].split(".")[0], f"{i:03}.jpg")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            im.resize((500, 375), Image.LANCZOS, box=(x, y, x + w, y + w * 0.75)).save(path, quality=90)


def peer(kind, photos, workers, seconds):
    """Returns the images per second of torchvision's loader."""
    import warnings
    import torch, torchvision
    from torchvision import io, transforms
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    steps = [transforms.RandomResizedCrop(224, antialias=True), transforms.RandomHorizontalFlip()]
    if kind == "PIL":
        data = torchvision.datasets.ImageFolder(photos, transforms.Compose(steps + [transforms.PILToTensor()]))
    else:
        read = lambda path: io.decode_jpeg(io.read_file(path), mode=io.ImageReadMode.RGB)
        data = torchvision.datasets.ImageFolder(photos, transforms.Compose(steps), loader=read)
    loader = torch.utils.data.DataLoader(data, BATCH, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0)
    for _ in loader:  # warm up
        pass
    images, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for batch, _ in loader:
            images += len(batch)
    return images / (time.perf_counter() - begin)


def bound(command, cores, **env):
    """Runs a command on the first cores and returns its output."""
    mine = sorted(os.sched_getaffinity(0))[:cores]
    run = subprocess.run(command, cwd=ROOT, env=dict(os.environ, **env), capture_output=True, text=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, mine))
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{run.stdout}{run.stderr}")
    return run.stdout


def main():
    photos = a.photos
    if not photos:
        photos = os.path.join(ROOT, "build/photos-500x375")
        if not os.path.isdir(photos):
            make_photos(photos)
    train = os.path.join(photos, "train")
    size = [os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(train) for f in files]
    print(f"{len(size)} photographs of {sum(size) / len(size) / 1000:.1f} kB", flush=True)
    import PIL, torch, torchvision
    theirs = {kind: f"torchvision {torchvision.__version__}, {kind}" + (f" {PIL.__version__}" if kind == "PIL" else "") for kind in ("PIL", "io")}
    rows = []
    with tempfile.TemporaryDirectory() as tmp:
        program = os.path.join(tmp, "bench.test")
        subprocess.run(["go", "test", "-c", "-o", program, "./bench"], cwd=ROOT, check=True)
        for cores in a.cores or [1, 2]:
            rates = {"tributary": [], "PIL": [], "io": []}
            for _ in range(a.rounds):
                for kind in ("PIL", "io"):
                    workers = cores if cores > 1 else 0
                    out = bound([sys.executable, os.path.abspath(__file__), "--peer", f"{kind} {workers}", "--photos", train,
                                 "--seconds", str(a.seconds)], cores)
                    rates[kind].append(float(out))
                out = bound([program, "-test.run", "^$", "-test.v", "-test.bench", "^BenchmarkLoader$/^crop-flip$", "-test.benchtime", f"{a.seconds}s"],
                            cores, PHOTOS=photos, GOMAXPROCS=str(cores))
                rates["tributary"].append(float(re.search(r"([\d.]+) img/s", out).group(1)))
                decoder = re.search(r"JPEG by (.*)", out).group(1)
            median = {k: statistics.median(v) for k, v in rates.items()}
            row = {"cores": cores, "tributary": round(median["tributary"]), "decoder": decoder}
            for kind, name in theirs.items():
                row[name] = round(median[kind])
                row[f"ratio to {kind}"] = round(median["tributary"] / median[kind], 2)
            row["all rounds"] = {k: [round(x) for x in v] for k, v in rates.items()}
            rows.append(row)
            print(json.dumps(row), flush=True)
    if a.out:
        with open("/proc/cpuinfo") as f:
            cpu = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), platform.processor())
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        with open(a.out, "w") as f:
            json.dump({"cpu": cpu, "date": time.strftime("%Y-%m-%d"), "commit": commit, "command": "make bench-loader",
                       "photographs": f"{len(size)} of {sum(size) / len(size) / 1000:.1f} kB", "rows": rows}, f, indent=1)
            f.write("\n")


if a.peer:
    kind, workers = a.peer.split()
    print(peer(kind, a.photos, int(workers), a.seconds))
else:
    main()
