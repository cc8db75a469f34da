"""Tests how gpu.py reads the output of the programs, and what it makes of it."""
import os, sys, tempfile, time, unittest

import gpu

TESTS = """=== RUN   TestFault
    device_test.go:89: needs the emulator
--- SKIP: TestFault (0.00s)
=== RUN   TestCompliance
--- FAIL: TestCompliance (13.39s)
    --- PASS: TestCompliance/fp32 (6.64s)
        --- PASS: TestCompliance/fp32/operations (3.55s)
    --- FAIL: TestCompliance/bf16 (3.70s)
FAIL
"""

STEPS = """goos: linux
cpu: AMD EPYC
BenchmarkGPUStep/googlenet/224px/batch256/bf16/heads-16         	      30	 100000000 ns/op	      8000 MiB	        22.75 TFLOP/s	      2560 img/s
BenchmarkGPUStep/googlenet/224px/batch256/bf16/noheads-16       	      30	  80000000 ns/op	      7500 MiB	        22.75 TFLOP/s	      3200 img/s
BenchmarkGPUStep/googlenet/224px/batch256/bf16_warps/heads-16    	      30	 120000000 ns/op	      8000 MiB	        22.75 TFLOP/s	      2133 img/s
BenchmarkGPUStep/googlenet/224px/batch256/bf16_serial/heads-16   	      30	 160000000 ns/op	      7900 MiB	        22.75 TFLOP/s	      1600 img/s
BenchmarkGPUStep/googlenet/224px/batch256/bf16_serial/noheads-16 	      30	 120000000 ns/op	      7400 MiB	        22.75 TFLOP/s	      2133 img/s
BenchmarkGPUStep/googlenet/224px/batch256/fp32/heads            	      30	 400000000 ns/op	     15000 MiB	         5.75 TFLOP/s	       640 img/s
PASS
"""

LAUNCHES = """BenchmarkGPULaunch/googlenet/224px/batch256/bf16/conv_forward_bf16_128x64/inception3a/tower3x3/3x3/conv-2         	       2	   2789619 ns/op	        46.6 %roof	      1679 GB/s	    129500 GFLOP/s	         1.000 launches
BenchmarkGPUKernel/googlenet/224px/batch256/bf16/update-2                                   	       2	    948695 ns/op	         14.87 %roof	       498.9 GB/s	         68.03 GFLOP/s	         2.000 launches
"""

FLOW = """BenchmarkGPUGradientFlow/googlenet/224px/batch256/bf16-16  	       2	 506285850 ns/op	        79.00 images	        61.9 ms/measurement	         0.6252 steps/measurement
"""

TORCH = """/usr/lib/python3/dist-packages/torch/autocast_mode.py: UserWarning: {}
{"device": "NVIDIA H100", "torch": "2.11.0+cu130", "torchvision": "0.26.0", "cudnn": 91002}
{"copy_gb_per_s": 3012.4, "bf16_product_tflop_per_s": 798.1}
{"model": "googlenet", "size": 224, "batch": 256, "precision": "bf16", "layout": "nhwc", "mode": "eager", "heads": true, "images_per_s": 1280.0, "ms_per_step": 200.0, "windows": 5, "peak_mib": 9000}
{"model": "googlenet", "size": 224, "batch": 256, "precision": "bf16", "layout": "nhwc", "mode": "eager", "heads": false, "images_per_s": 2560.0, "ms_per_step": 100.0, "windows": 5, "peak_mib": 8900}
{"model": "googlenet", "size": 224, "batch": 256, "precision": "bf16", "layout": "nhwc", "mode": "graph", "heads": true, "images_per_s": 2000.0, "ms_per_step": 128.0, "windows": 5, "peak_mib": 9500}
{"model": "googlenet", "size": 224, "batch": 256, "precision": "fp32", "layout": "nchw", "mode": "eager", "heads": true, "error": "OutOfMemoryError: CUDA out of memory"}
{"model": "googlenet", "size": 224, "ba"""

TABLE = """NVIDIA H100, driver 580.159.04, CUDA 13.0, PyTorch 2.11.0+cu130, commit abc1234 and changes, 2026-11-24

cubins                       ok            1.5 s  6 passed, 0 failed, 0 skipped
traces                       failed       90.0 s  not done after 90 s
    | panic: test timed out

googlenet 224x224, batch 256: training step with heads
                               images/s      MiB   of PyTorch's best
bf16 Tributary                   2560.0     8000   1.280
     Tributary by warps          2133.0     8000   1.067
     Tributary step by step      1600.0     7900   0.800
     PyTorch nhwc eager          1280.0     9000
     PyTorch nhwc graph          2000.0     9500
     PyTorch's best is without torch.compile, which was not measured
fp32 Tributary                    640.0    15000
     PyTorch nchw eager        OutOfMemoryError: CUDA out of memory
the heads add to a bf16 step: Tributary 25.0 %, Tributary step by step 33.3 %, PyTorch nhwc eager 100.0 %

googlenet 224x224, batch 256, bf16: a measurement of gradient flow takes 61.9 ms, 0.63 steps

reached by PyTorch: copy 3012 GB/s, bf16 product 798 TFLOP/s

googlenet 224x224, batch 256, bf16: the launches that take the most time
       us   GFLOP/s    GB/s  % of roofline
   2789.6    129500    1679           46.6  conv_forward_bf16_128x64 inception3a/tower3x3/3x3/conv
"""


class Reading(unittest.TestCase):
    def test_tests(self):
        self.assertEqual(gpu.read_tests(TESTS), {"passed": 2, "skipped": 1, "failures": ["TestCompliance", "TestCompliance/bf16"]})

    def test_steps(self):
        rows = gpu.step_rows(STEPS)
        self.assertEqual(rows[0], {"by": "tributary", "model": "googlenet", "size": 224, "batch": 256, "precision": "bf16", "layout": "nhwc",
                                   "mode": "graph", "heads": True, "images_per_s": 2560, "ms_per_step": 100, "tflop_per_s": 22.75, "peak_mib": 8000})
        self.assertEqual([(r["precision"], r["mode"], r["heads"]) for r in rows],
                         [("bf16", "graph", True), ("bf16", "graph", False), ("bf16", "warps", True), ("bf16", "serial", True),
                          ("bf16", "serial", False), ("fp32", "graph", True)])

    def test_launches_and_kernels(self):
        launch, kernel = gpu.kernel_rows(LAUNCHES)
        self.assertEqual(launch, {"model": "googlenet", "size": 224, "batch": 256, "precision": "bf16", "kernel": "conv_forward_bf16_128x64",
                                  "node": "inception3a/tower3x3/3x3/conv", "us": 2789.619, "launches": 1, "gflop_per_s": 129500, "gb_per_s": 1679,
                                  "percent_of_roofline": 46.6})
        self.assertEqual((kernel["kernel"], kernel["launches"]), ("update", 2))
        self.assertNotIn("node", kernel)

    def test_gradient_flow(self):
        self.assertEqual(gpu.flow_rows(FLOW), [{"model": "googlenet", "size": 224, "batch": 256, "precision": "bf16", "images": 79, "ms": 61.9,
                                                "steps": 0.6252}])

    def test_torch(self):
        versions, ceilings, rows = gpu.read_torch(TORCH)
        self.assertEqual(versions["torch"], "2.11.0+cu130")
        self.assertEqual(ceilings, {"copy_gb_per_s": 3012.4, "bf16_product_tflop_per_s": 798.1})
        self.assertEqual([(r["by"], r["mode"], "error" in r) for r in rows],
                         [("torch", "eager", False), ("torch", "eager", False), ("torch", "graph", False), ("torch", "eager", True)])

    def test_sanitizer(self):
        for summary in ("ERROR SUMMARY: 2 errors", "RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"):
            self.assertEqual(gpu.read_sanitizer(f"========= COMPUTE-SANITIZER\n55 tests, 0 failures\n========= {summary}\n"), summary)
        self.assertEqual(gpu.read_sanitizer("========= COMPUTE-SANITIZER\n"), "")

    def test_cases_are_those_of_the_benchmarks(self):
        with open(os.path.join(gpu.ROOT, "bench", "cuda_test.go")) as f:
            text = f.read()
        for cases in (gpu.CASES, gpu.DRY_CASES):
            self.assertIn("return []gpuCase{" + ", ".join('{"%s", %d, %d}' % c for c in cases) + "}", text)


class Writing(unittest.TestCase):
    def results(self):
        versions, ceilings, rows = gpu.read_torch(TORCH)
        parts = [{"part": "cubins", "outcome": "ok", "seconds": 1.5, "summary": "6 passed, 0 failed, 0 skipped"},
                 {"part": "traces", "outcome": "failed", "seconds": 90, "summary": "", "error": "not done after 90 s", "tail": ["panic: test timed out"]}]
        return {"driver": "580.159.04", "cuda": "13.0", "commit": "abc1234", "dirty": True, "date": "2026-11-24", **versions, "ceilings": ceilings,
                "parts": parts, "rows": gpu.step_rows(STEPS) + rows, "gradflow": gpu.flow_rows(FLOW), "launches": gpu.kernel_rows(LAUNCHES)[:1]}

    maxDiff = None

    def test_table(self):
        self.assertEqual(gpu.table(self.results()), TABLE)

    def test_no_speeds_of_the_emulator(self):
        text = gpu.table({"emulated": gpu.EMULATED, **self.results()})
        self.assertTrue(text.endswith("panic: test timed out\n\n" + gpu.EMULATED + "\n"), text)


class Failing(unittest.TestCase):
    def test_first_failure(self):
        text = "=== RUN   TestA\n--- PASS: TestA (0.1s)\n=== RUN   TestB\n    b.go:1: wrong\n--- FAIL: TestB (0.1s)\n    more\n=== RUN   TestC\n"
        self.assertEqual(gpu.first_failure(text), ["=== RUN   TestB", "    b.go:1: wrong", "--- FAIL: TestB (0.1s)", "    more"])
        text = "ok   add_f32   1.0 ms\nFAIL relu_f32: want 1, got 2\nFAIL relu_f32   2.0 ms\nFAIL lrn_f32   2.0 ms\n"
        self.assertEqual(gpu.first_failure(text), ["FAIL relu_f32: want 1, got 2", "FAIL relu_f32   2.0 ms"])
        self.assertEqual(gpu.first_failure("a\nb\n"), ["a", "b"])

    def test_repeat(self):
        part = gpu.Part("p", "log", 60, 20, lambda seconds: ["x.test", "-test.run=^A$"], None, "cuda", {"A": "b c"})
        self.assertEqual(gpu.repeat(part, 1), f"cd {gpu.ROOT}/cuda && A='b c' x.test '-test.run=^A$'")

    def test_unsuitable(self):
        manifest = {"glibc": "2.34"}
        self.assertEqual(gpu.unsuitable(manifest, "2.36", gpu.X86_64_V2), "")
        self.assertEqual(gpu.unsuitable(manifest, "", set()), "", "where nothing is known")
        self.assertIn("glibc 2.34 or later, this machine has 2.9", gpu.unsuitable(manifest, "2.9", gpu.X86_64_V2))
        self.assertIn("lacks popcnt", gpu.unsuitable(manifest, "2.36", gpu.X86_64_V2 - {"popcnt"}))

    def test_stages(self):
        self.assertEqual(set(gpu.STAGES), {"check", "sanitize", "measure"})


class Running(unittest.TestCase):
    def part(self, limit, need, **more):
        return gpu.Part("p", "log", limit, need, None, None, **more)

    def test_allowance(self):
        important, minor = self.part(60, 20), self.part(100, 30, minor=True)
        self.assertEqual(gpu.allowance(important, [important, minor], 300), 60)
        self.assertEqual(gpu.allowance(important, [important, minor], 50), 30)
        self.assertEqual(gpu.allowance(important, [self.part(60, 20, skip="why"), minor], 50), 50)
        self.assertEqual(gpu.allowance(important, [important, minor], 20), 10)  # half of what both need
        self.assertEqual(gpu.allowance(minor, [], 70), 70)
        self.assertEqual(gpu.allowance(minor, [], 29), 0)
        self.assertEqual(gpu.allowance(important, [], -1), 0)

    def test_execute(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            run = lambda program, seconds: gpu.execute([sys.executable, "-c", program], folder, dict(os.environ), seconds, log, "title")
            self.assertEqual(run("import os; os.write(1, b'out\\n'); os.write(2, b'err\\n'); os._exit(3)", 60), (False, 3, "out\nerr\n"))
            begin = time.monotonic()
            late, _, text = run("import os; os.system('echo begun; sleep 60')", 1)
            self.assertTrue(late and time.monotonic() - begin < 30)
            self.assertEqual(text, "begun\n")
            self.assertEqual(gpu.execute(["/no/such/program"], folder, {}, 1, log, "title")[:2], (False, 127))
            with open(log) as f:
                lines = f.read().splitlines()
            self.assertEqual([line for line in lines if not line.startswith("===")][:3], ["out", "err", "begun"])
            self.assertEqual(lines[-2:], ["=== title: /no/such/program", "[Errno 2] No such file or directory: '/no/such/program'"])

    def test_shortened(self):
        self.assertEqual(gpu.shortened(b"12345678", 8), b"12345678")
        self.assertEqual(gpu.shortened(b"0123456789", 4), b"01\n... 6 bytes are left out ...\n89")


if __name__ == "__main__":
    unittest.main()
