#!/usr/bin/env python3
"""Checks and measures everything on a machine with an NVIDIA GPU, beside PyTorch: make gpu. It needs build/gpu/pack.tgz, which make
gpu-pack builds on another machine. It does not need Go. It uses compute-sanitizer, PyTorch and torchvision if they exist.

usage: gpu.py [--stage STAGE] [--out FOLDER] [--only PARTS] [--skip PARTS] [--minutes M] [--dry]

A visit of a GPU machine has three stages, which may run one by one: check (do the kernels work: 3 minutes), sanitize (compute-sanitizer: 3
minutes) and measure (steps beside PyTorch's: 4 minutes). Without --stage all of them run.

The parts run one after another, each with a time limit. A part that fails does not stop the others. The first failure of each kind of
part is printed whole, with the command that repeats it. While a part runs, time is reserved for the important parts that follow. The
minor parts come last and get the remaining time: more of compute-sanitizer, and the time of every kernel.

FOLDER gets at most eight files: results.json, table.txt, and logs. --dry runs all parts on the emulator, at tiny sizes. Its measurements
say nothing about a GPU, and results.json says so.
"""
import argparse, dataclasses, importlib.util, json, os, platform, re, shlex, shutil, signal, subprocess, sys, time, zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACK = os.path.join(ROOT, "build", "pack")
CASES = [("googlenet", 224, 256), ("googlenet", 224, 32), ("inception_v3", 299, 128)]  # the cases of gpuCases in cuda_test.go
DRY_CASES = [("inception_small", 28, 2)]
DRY_TORCH = ("googlenet", 64, 2)  # torchvision has no inception_small
PRECISIONS = ["bf16", "tf32", "fp32"]
EMULATED = "measured on the emulator, at tiny sizes: no figure here says anything about a GPU"
STAGES = {"check": 3, "sanitize": 3, "measure": 4}  # minutes
LOG_LIMIT = 1 << 20  # bytes of a part's output that stay in its log


# ---- reading the output of the parts -----------------------------------------------------------------------------------------------

def read_tests(text):
    """Reads the output of go test -v. Tests and subtests count alike."""
    found = re.findall(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", text, re.M)
    return {"passed": sum(r == "PASS" for r, _ in found), "skipped": sum(r == "SKIP" for r, _ in found),
            "failures": [name for r, name in found if r == "FAIL"]}


def read_benchmarks(text):
    """Reads the lines of go test -bench: the benchmark's name, and its figures by unit."""
    found = []
    for name, figures in re.findall(r"^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(\S.*)$", text, re.M):
        words = figures.split()
        found.append((name, {unit: float(value) for value, unit in zip(words[::2], words[1::2])}))
    return found


def read_case(name):
    """Splits the name of a benchmark of a training step: its kind, the fields that all of them have, and the rest of the name."""
    kind, model, size, batch, precision, *rest = name.split("/", 5)
    return kind, {"model": model, "size": int(size[:-len("px")]), "batch": int(batch[len("batch"):]), "precision": precision}, "".join(rest)


def step_rows(text):
    """Reads the rows of BenchmarkGPUStep, in the form of PyTorch's. bf16_warps is bf16 in the mode warps, bf16_serial in the mode serial."""
    rows = []
    for name, f in read_benchmarks(text):
        _, row, heads = read_case(name)
        row["precision"], _, mode = row["precision"].partition("_")
        rows.append({"by": "tributary", **row, "layout": "nhwc", "mode": mode or "graph", "heads": heads == "heads",
                     "images_per_s": f["img/s"], "ms_per_step": f["ns/op"] / 1e6, "tflop_per_s": f["TFLOP/s"], "peak_mib": f["MiB"]})
    return rows


def kernel_rows(text):
    """Reads the rows of BenchmarkGPUKernel and BenchmarkGPULaunch. A launch has a node."""
    rows = []
    for name, f in read_benchmarks(text):
        kind, row, rest = read_case(name)
        kernel, _, node = rest.partition("/")
        rows.append({**row, "kernel": kernel, **({"node": node} if kind == "GPULaunch" else {}), "us": f["ns/op"] / 1e3,
                     "launches": int(f["launches"]), "gflop_per_s": f["GFLOP/s"], "gb_per_s": f["GB/s"], "percent_of_roofline": f["%roof"]})
    return rows


def flow_rows(text):
    """Reads the rows of BenchmarkGPUGradientFlow."""
    return [{**read_case(name)[1], "images": int(f["images"]), "ms": f["ms/measurement"], "steps": f["steps/measurement"]}
            for name, f in read_benchmarks(text)]


def read_torch(text):
    """Reads the lines of torch_baseline.py: versions, ceilings, rows."""
    versions, ceilings, rows = {}, {}, []
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            x = json.loads(line)
        except ValueError:  # an incomplete line
            continue
        if "model" in x:
            rows.append({"by": "torch", **x})
        elif "torch" in x:
            versions = x
        else:
            ceilings = x
    return versions, ceilings, rows


def read_sanitizer(text):
    """Returns the last summary of compute-sanitizer."""
    found = re.findall(r"^=+ ((?:\w+ )?SUMMARY: .*)$", text, re.M)
    return found[-1] if found else ""


# ---- the parts -------------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Part:
    name: str
    log: str  # file for its output, which several parts may share
    limit: float  # seconds
    need: float  # seconds that are reserved for it while others run; a minor part does not begin with fewer
    argv: object  # returns the command for a number of seconds
    judge: object  # reads the output and records results; returns a summary and an error
    folder: str = ""
    env: dict = dataclasses.field(default_factory=dict)
    partial: bool = False  # its output up to the time limit counts
    minor: bool = False  # comes last; running out of time is not a failure
    stage: str = "measure"
    skip: str = ""  # why it cannot run


class Run:
    """One run of the parts, with its results."""

    def __init__(self, a):
        self.a = a
        self.cubins = os.path.join(PACK, "cubins")
        with open(os.path.join(PACK, "manifest.json")) as f:
            manifest = json.load(f)
        options = [f"--{k} {v}" for k, v in (("only", a.only), ("skip", a.skip)) if v] + ["--dry"] * a.dry
        self.results = {**({"emulated": EMULATED} if a.dry else {}), "device": "", "driver": "", "cuda": "", **manifest,
                        "date": time.strftime("%Y-%m-%d"), "command": " ".join(["bench/gpu.py"] + options), "parts": [], "ceilings": {},
                        "rows": [], "gradflow": [], "launches": [], "kernels": []}

    # -- judges

    def driver(self, text):
        found = dict(re.findall(r"^\s*(Driver Version|CUDA Version)\s*: (\S+)", text, re.M))
        self.results["driver"], self.results["cuda"] = found.get("Driver Version", ""), found.get("CUDA Version", "")
        return f"driver {self.results['driver']}, CUDA {self.results['cuda']}", ""

    def devices(self, text):
        kernels = r"(?:(sm_\w+) machine code|PTX for (compute_\w+)|(the emulator's own))"
        found = re.search(r"^cuda:0\s+([^,]+), .*; kernels: " + kernels, text, re.M)
        if not found:
            return "", "no GPU that the kernels run on"
        name, cubin, ptx, emulated = found.groups()
        if bool(emulated) != self.a.dry:
            return name, "that is the emulator: make gpu-dry" if emulated else "--dry is for the emulator"
        self.results["device"] = name
        self.unpack_cubins(cubin or ptx or "sm_90a")
        return name, ""

    def unpack_cubins(self, architecture):
        """Writes the cubins for an architecture as files, for kernel_tests."""
        shutil.rmtree(self.cubins, ignore_errors=True)
        os.makedirs(self.cubins)
        file = architecture + (".ptx" if architecture.startswith("compute_") else ".cubin")
        archives = os.path.join(ROOT, "kernels", "cubins")
        for name in sorted(os.listdir(archives)):
            if name.endswith(".zip"):
                with zipfile.ZipFile(os.path.join(archives, name)) as z:
                    with open(os.path.join(self.cubins, f"{name[:-4]}.{file}"), "wb") as f:
                        f.write(z.read(file))

    def tests(self, text):
        t = read_tests(text)
        wrong = ["failed: " + ", ".join(t["failures"][:20])] if t["failures"] else []
        if not wrong and not t["passed"]:
            wrong.append("no test came to its end")
        wrong += re.findall(r"^panic: .*$", text, re.M)[:1]
        return f"{t['passed']} passed, {len(t['failures'])} failed, {t['skipped']} skipped", "; ".join(wrong)

    def kernel_tests(self, text):
        found = re.findall(r"^\d+ tests, \d+ failures$", text, re.M)
        wrong = re.findall(r"^FAIL (\S+) +[\d.]+ ms$", text, re.M)
        return found[-1] if found else "", "failed: " + ", ".join(wrong) if wrong else "" if found else "it did not come to its end"

    def sanitizer(self, text):
        summary = read_sanitizer(text)
        return summary, "" if summary else "compute-sanitizer did not come to its end"

    def benchmarks(self, read, into):
        def judge(text):
            rows = read(text)
            self.results[into] += rows
            return f"{len(rows)} figures", "" if rows else "no benchmark ran"

        return judge

    def torch(self, text):
        versions, ceilings, rows = read_torch(text)
        self.results.update({k: v for k, v in versions.items() if k != "device"})
        self.results["ceilings"].update(ceilings)
        self.results["rows"] += rows
        wrong = sum("error" in r for r in rows)
        measured = len(rows) - wrong + len(ceilings)
        return f"{measured} figures" + (f", {wrong} errors" if wrong else ""), "" if measured else "nothing was measured"

    # -- the list

    def parts(self):
        dry, cases = self.a.dry, DRY_CASES if self.a.dry else CASES
        has_torch = all(importlib.util.find_spec(m) for m in ("torch", "torchvision"))
        no_torch = "" if has_torch else "this Python has no torch and torchvision"
        sanitizer = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
        no_sanitizer = "" if sanitizer else "there is no compute-sanitizer in PATH or /usr/local/cuda/bin"
        if dry:
            no_sanitizer = "it cannot watch the emulator"

        def program(name, *args):
            return lambda seconds: [os.path.join(PACK, name), *args]

        def go_test(run, of="cuda"):
            return lambda seconds: [os.path.join(PACK, f"{of}.test"), "-test.v", go_timeout(seconds), run] + ["-test.short"] * dry

        def bench(which):
            return lambda seconds: [os.path.join(PACK, "bench.test"), "-test.run=^$", f"-test.bench={which}",
                                    f"-test.benchtime={'1x' if dry else '30x'}", go_timeout(seconds)]

        def torch(*args):
            return lambda seconds: [sys.executable, "torch_baseline.py", "--device", "cpu" if dry else "cuda",
                                    "--seconds", f"{min(1.5, seconds / 60):.1f}", *["--quick"] * dry, *args]

        def sanitize(tool, argv):
            # kernel_tests looks for a kernel in one image after another, so errors of the API are
            # expected.
            return lambda seconds: [sanitizer, "--tool", tool, "--error-exitcode", "9", "--report-api-errors", "no", *argv(seconds)]

        cubins = {"TRIBUTARY_CUBINS": self.cubins}
        few = program("kernel_tests", "--rounds", "5")
        def check(*args, **more):
            return Part(*args, stage="check", **more)

        def sanitizing(*args, **more):
            return Part(*args, stage="sanitize", **more)

        all_parts = [
            check("driver", "device.log", 20, 5, lambda seconds: ["nvidia-smi", "-q"], self.driver,
                 skip="the emulator has none" if dry else "" if shutil.which("nvidia-smi") else "there is no nvidia-smi in PATH"),
            check("devices", "device.log", 20, 5, program("tributary", "devices"), self.devices),
            check("cubins", "device.log", 90, 20, go_test("-test.run=^TestEmbeddedCubins$", "driver"), self.tests, "cuda/driver",
                 {"CUDA_CACHE_DISABLE": "1"}),
            check("kernels", "tests.log", 60, 10, few if dry else program("kernel_tests"), self.kernel_tests, env=cubins)]
        for p in ("fp32", "tf32", "bf16_warps", "bf16"):
            which = f"-test.run=^TestCompliance$/^{p}$" + "/^optimizers$" * dry
            all_parts.append(check(f"compliance-{p}", "tests.log", 60, 10, go_test(which), self.tests, "cuda"))
        all_parts += [
            check("traces", "tests.log", 90, 30, go_test("-test.run=^TestTrainingTrace$" + "/^inception_small$/^fp32$" * dry), self.tests,
                 "cuda"),
            check("tests", "tests.log", 60, 15, go_test("-test.skip=^(TestCompliance|TestTrainingTrace)$"), self.tests, "cuda"),
            check("driver-tests", "tests.log", 60, 10, go_test("-test.skip=^TestEmbeddedCubins$", "driver"), self.tests, "cuda/driver"),
            sanitizing("memcheck", "sanitizer.log", 60, 20, sanitize("memcheck", few), self.sanitizer, env=cubins, skip=no_sanitizer),
            sanitizing("racecheck", "sanitizer.log", 60, 20, sanitize("racecheck", few), self.sanitizer, env=cubins, skip=no_sanitizer),
            sanitizing("memcheck-plans", "sanitizer.log", 60, 15, sanitize("memcheck", go_test("-test.run=^TestCompliance$/^bf16$/^plans$")),
                 self.sanitizer, "cuda", skip=no_sanitizer)]
        for model, size, batch in cases:  # ours and PyTorch's in turns, so that both run on the machine in the same state
            theirs = ":".join(map(str, DRY_TORCH if dry else (model, size, batch)))
            all_parts += [
                Part(f"steps-{model}-{batch}", "bench.log", 90, 30, bench(f"^BenchmarkGPUStep$/^{model}$/^{size}px$/^batch{batch}$"),
                     self.benchmarks(step_rows, "rows"), "bench"),
                Part(f"torch-{model}-{batch}", "torch.log", 110, 40, torch("--modes", "eager,graph", theirs), self.torch, "bench",
                     partial=True, skip=no_torch),
                Part(f"compile-{model}-{batch}", "torch.log", 150, 50, torch("--modes", "compile", theirs), self.torch, "bench",
                     partial=True, skip="needs a GPU" if dry else no_torch)]
        return all_parts + [
            Part("ceilings", "torch.log", 30, 10, torch("--ceilings"), self.torch, "bench", skip=no_torch),
            Part("launches", "bench.log", 60, 20, bench("^BenchmarkGPULaunch$"), self.benchmarks(kernel_rows, "launches"), "bench"),
            Part("all-kernels", "bench.log", 90, 30, bench("^BenchmarkGPUKernel$"), self.benchmarks(kernel_rows, "kernels"), "bench",
                 minor=True),
            Part("gradflow", "bench.log", 60, 20, bench("^BenchmarkGPUGradientFlow$"), self.benchmarks(flow_rows, "gradflow"), "bench",
                 minor=True),
            sanitizing("synccheck", "sanitizer.log", 60, 20, sanitize("synccheck", few), self.sanitizer, env=cubins, minor=True,
                 skip=no_sanitizer),
            sanitizing("initcheck", "sanitizer.log", 60, 20, sanitize("initcheck", few), self.sanitizer, env=cubins, minor=True,
                 skip=no_sanitizer),
            ]

    # -- running

    def chosen(self):
        """Returns the parts that the options choose. devices is always among them, because the others need its result."""
        parts = self.parts()
        for x in filter(None, f"{self.a.only},{self.a.skip}".split(",")):
            if not any(p.name.startswith(x) for p in parts):
                sys.exit(f"gpu.py: no part's name begins with {x}: there are {', '.join(p.name for p in parts)}")

        def named(p, prefixes):
            return any(p.name.startswith(x) for x in prefixes.split(",") if x)

        return [p for p in parts if p.name == "devices" or self.a.stage in ("", p.stage) and (not self.a.only or named(p, self.a.only)) and not named(p, self.a.skip)]

    def everything(self):
        parts = self.chosen()
        for log in {p.log for p in parts}:
            if os.path.exists(os.path.join(self.a.out, log)):
                os.remove(os.path.join(self.a.out, log))
        begin, lost, whole = time.monotonic(), "", set()
        for i, p in enumerate(parts):
            row = {"part": p.name, "outcome": "skipped", "seconds": 0}
            seconds = allowance(p, parts[i + 1:], 60 * self.a.minutes - (time.monotonic() - begin))
            if p.skip or lost:
                row["summary"] = p.skip or lost
            elif not seconds:
                row["summary"] = f"no time is left of the {self.a.minutes:g} minutes"
            else:
                row.update(self.one(p, seconds))
                if row["outcome"] == "failed" and p.judge not in whole:
                    whole.add(p.judge)
                    print(failure(row), flush=True)
            if p.name == "devices" and row["outcome"] != "ok":
                lost = "no GPU: see devices"
            self.results["parts"].append(row)
            print(part_line(row), flush=True)
            with open(os.path.join(self.a.out, "results.json"), "w") as f:
                json.dump(self.results, f, indent=1)
                f.write("\n")

    def one(self, p, seconds):
        """Runs a part."""
        env = {**os.environ, **p.env}
        if self.a.dry:
            env.update(LD_LIBRARY_PATH=os.path.join(ROOT, "build", "emulated"), TRIBUTARY_BENCH="dry")
        begin = time.monotonic()
        late, code, text = execute(p.argv(seconds), os.path.join(ROOT, p.folder), env, seconds, os.path.join(self.a.out, p.log), p.name)
        late = late or "panic: test timed out after " in text
        row = {"outcome": "ok", "seconds": round(time.monotonic() - begin, 1)}
        try:
            row["summary"], error = p.judge(text)
        except Exception as e:  # the output has an unknown form
            row["summary"], error = "", f"gpu.py cannot read its output: {type(e).__name__}: {e}"
        if late and (p.minor or p.partial and not error):
            row.update(outcome="cut short", summary=f"{row['summary'] or 'not done'} in {seconds:.0f} s")
        elif late or code or error:
            why = f"not done after {seconds:.0f} s" if late else f"exit code {code}" if code else ""
            row.update(outcome="failed", error="; ".join(x for x in (why, error) if x), tail=text.splitlines()[-15:],
                       first=first_failure(text), repeat=repeat(p, seconds))
        return row


def repeat(part, seconds):
    """Returns the shell command that runs a part again."""
    env = "".join(f"{k}={shlex.quote(v)} " for k, v in part.env.items())
    return f"cd {shlex.quote(os.path.join(ROOT, part.folder))} && {env}{shlex.join(part.argv(seconds))}"


KERNEL_TEST = r"(ok|FAIL) +\S+ +[\d.]+ ms$"  # the last line of a test of kernel_tests


def first_failure(text):
    """Returns the output of the first test that failed, in go test -v or in kernel_tests, or else the last lines."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        go, kernel = re.match(r"\s*--- FAIL: (\S+)", line), re.match(KERNEL_TEST, line)
        if go:
            begin = next((j for j, x in enumerate(lines) if re.match(rf"=== RUN\s+{re.escape(go[1])}$", x)), i)
            end = next((j for j in range(i + 1, len(lines)) if re.match(r"\s*--- |=== |PASS|FAIL", lines[j])), len(lines))
            return lines[begin:end]
        if kernel and kernel[1] == "FAIL":
            begin = next((j + 1 for j in range(i - 1, -1, -1) if re.match(KERNEL_TEST, lines[j])), 0)
            return lines[begin:i + 1]
    return lines[-60:]


def failure(row):
    return "\n".join([f"first failure of {row['part']}: {row['error']}", *("    | " + line for line in row["first"]), f"again: {row['repeat']}"])


def go_timeout(seconds):
    """Returns a time limit for a Go program. The program ends with the stacks of all goroutines before it is killed."""
    return f"-test.timeout={max(1, seconds - 2):.0f}s"


def allowance(part, later, left):
    """Returns how many of the remaining seconds a part may take, or 0. The seconds that later important parts need stay reserved, or
    their share if there are too few for all. A minor part does not begin with fewer seconds than it needs."""
    kept = sum(p.need for p in later if not p.minor and not p.skip)
    share = min(1, left / (part.need + kept))
    seconds = min(part.limit, left - share * kept)
    return seconds if seconds >= (part.need if part.minor else 1) else 0


def execute(argv, folder, env, seconds, log, title):
    """Runs a program for at most a number of seconds. Returns whether the time ran out, the exit code, and the output. The log gets the
    output too."""
    with open(log, "ab") as f:
        f.write(f"=== {title}: {' '.join(argv)}\n".encode())
        f.flush()
        start = f.tell()
        try:
            child = subprocess.Popen(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT,
                                     start_new_session=True)
        except OSError as e:
            f.write(f"{e}\n".encode())
            return False, 127, str(e)
        late = False
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # and the processes that it has started
                child.wait()
    with open(log, "rb+") as f:
        f.seek(start)
        output = f.read()
        f.seek(start)
        f.truncate()
        f.write(shortened(output, LOG_LIMIT))
    return late, child.returncode, output.decode(errors="replace")


def shortened(output, limit):
    """Returns output without its middle if it is longer than the limit."""
    if len(output) <= limit:
        return output
    return output[:limit // 2] + b"\n... %d bytes are left out ...\n" % (len(output) - limit) + output[-(limit // 2):]


# ---- the table -------------------------------------------------------------------------------------------------------------------

def part_line(row):
    what = "  ".join(x for x in (row["summary"], row.get("error")) if x)
    return f"{row['part']:<28} {row['outcome']:<10} {row['seconds']:>6.1f} s  {what}"


def case_name(r):
    return f"{r['model']} {r['size']}x{r['size']}, batch {r['batch']}"


def row_name(r):
    ours = "Tributary" + {"warps": " by warps", "serial": " step by step"}.get(r["mode"], "")
    return ours if r["by"] == "tributary" else f"PyTorch {r['layout']} {r['mode']}"


def heads_cost(rows):
    """Returns the time that the heads add to a bf16 step, in percent of the step without heads, by row_name."""
    ms = {(row_name(r), r["heads"]): r["ms_per_step"] for r in rows if r["precision"] == "bf16" and "error" not in r}
    return {name: 100 * (t / ms[name, False] - 1) for (name, heads), t in ms.items() if heads and (name, False) in ms}


def case_table(rows):
    """Returns the lines of a table of one case's steps with all heads, ours beside PyTorch's."""
    lines = [f"{'':<5}{'':<24}{'images/s':>10}{'MiB':>9}   of PyTorch's best"]
    for p in PRECISIONS:
        these = [r for r in rows if r["precision"] == p and r["heads"]]
        modes = {r["mode"] for r in these if r["by"] == "torch" and "error" not in r}
        best = max((r["images_per_s"] for r in these if r["by"] == "torch" and "error" not in r), default=0)
        for i, r in enumerate(sorted(these, key=lambda r: r["by"] == "torch")):
            if "error" in r:
                figures = "  " + r["error"]
            else:
                figures = f"{r['images_per_s']:>10.1f}{r['peak_mib'] or 0:>9.0f}"
                if r["by"] == "tributary" and best:
                    figures += f"   {r['images_per_s'] / best:.3f}"
            lines.append(f"{p if i == 0 else '':<5}{row_name(r):<24}{figures}")
        if modes and "compile" not in modes:
            lines.append(f"{'':<5}PyTorch's best is without torch.compile, which was not measured")
    cost = heads_cost(rows)
    if cost:
        lines.append("the heads add to a bf16 step: " + ", ".join(f"{name} {c:.1f} %" for name, c in cost.items()))
    return lines


def table(results):
    """Returns the results as text for people."""
    r = results
    names = {"driver": "driver", "cuda": "CUDA", "torch": "PyTorch", "commit": "commit"}
    versions = [f"{name} {r[key]}" for key, name in names.items() if r.get(key)]
    lines = [", ".join([r["device"] or "no GPU", *versions]) + f"{' and changes' if r['dirty'] else ''}, {r['date']}", ""]
    for p in r["parts"]:
        lines.append(part_line(p))
        lines += ["    | " + line for line in p.get("tail", [])]
    if "emulated" in r:
        return "\n".join(lines + ["", r["emulated"]]) + "\n"
    cases = {}
    for row in r["rows"]:
        cases.setdefault(case_name(row), []).append(row)
    for case, rows in cases.items():
        lines += ["", f"{case}: training step with heads", *case_table(rows)]
    for x in r["gradflow"]:
        lines += ["", f"{case_name(x)}, {x['precision']}: a measurement of gradient flow takes {x['ms']:.1f} ms, {x['steps']:.2f} steps"]
    if r["ceilings"]:
        reached = "reached by PyTorch: copy {copy_gb_per_s:.0f} GB/s, bf16 product {bf16_product_tflop_per_s:.0f} TFLOP/s"
        lines += ["", reached.format(**r["ceilings"])]
    if r["launches"]:
        first = r["launches"][0]
        lines += ["", f"{case_name(first)}, {first['precision']}: the launches that take the most time",
                  f"{'us':>9}{'GFLOP/s':>10}{'GB/s':>8}{'% of roofline':>15}"]
        for x in r["launches"]:
            if case_name(x) == case_name(first):
                lines.append(f"{x['us']:>9.1f}{x['gflop_per_s']:>10.0f}{x['gb_per_s']:>8.0f}{x['percent_of_roofline']:>15.1f}"
                             f"  {x['kernel']} {x['node']}")
    return "\n".join(lines) + "\n"


def processor():
    """Returns the features of this machine's processor, by Linux's names."""
    try:
        with open("/proc/cpuinfo") as f:
            return set(re.search(r"^flags\s*: (.*)$", f.read(), re.M)[1].split())
    except (OSError, TypeError):
        return set()


X86_64_V2 = {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}  # x86-64 psABI; pni is SSE3


def unsuitable(manifest, glibc, flags):
    """Returns why the programs of the pack cannot run on a machine, or nothing if they can."""
    number = lambda v: [int(x) for x in v.split(".")]
    if glibc and number(glibc) < number(manifest["glibc"]):
        return f"the pack's programs need glibc {manifest['glibc']} or later, this machine has {glibc}: build the pack on an older system, or run a newer one here, such as a container of Debian 12"
    missing = X86_64_V2 - flags
    if flags and missing:
        return f"the pack's programs need a processor of the level x86-64-v2; this one lacks {', '.join(sorted(missing))}"
    return ""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--stage", default="", choices=["", *STAGES], help="check, sanitize or measure; default: all")
    ap.add_argument("--out", metavar="FOLDER", help="default: build/gpu/results, or that of the stage: build/gpu/check; of --dry build/gpu/dry")
    ap.add_argument("--only", default="", metavar="PARTS", help="parts to run, by the beginnings of their names, with commas between")
    ap.add_argument("--skip", default="", metavar="PARTS", help="parts to leave out")
    ap.add_argument("--minutes", type=float, help="for everything together (default: those of the stage; of all 9.9)")
    ap.add_argument("--dry", action="store_true", help="on the emulator: make gpu-dry")
    a = ap.parse_args()
    a.out = a.out or os.path.join(ROOT, "build", "gpu", "dry" if a.dry else a.stage or "results")
    a.minutes = a.minutes or STAGES.get(a.stage, sum(STAGES.values())) - 0.1
    pack = os.path.join(ROOT, "build", "gpu", "pack.tgz")
    if not os.path.exists(pack):
        sys.exit(f"gpu.py: {pack} is not there: make gpu-pack builds it, on a machine with Go")
    os.makedirs(PACK, exist_ok=True)
    subprocess.run(["tar", "-C", PACK, "-xzf", pack], check=True)
    os.makedirs(a.out, exist_ok=True)
    run = Run(a)
    problem = unsuitable(run.results, platform.libc_ver()[1], processor())
    if problem:
        sys.exit(f"gpu.py: {problem}")
    run.everything()
    text = table(run.results)
    with open(os.path.join(a.out, "table.txt"), "w") as f:
        f.write(text)
    print("\n" + text + f"\nresults.json, table.txt and the logs are in {a.out}")
    sys.exit(any(p["outcome"] == "failed" for p in run.results["parts"]))


if __name__ == "__main__":
    main()
