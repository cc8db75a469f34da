// planted.cpp: runs one planted bug (see planted.cu) or one misuse of the driver, named on the
// command line, and prints "result right" or "result wrong". The messages of the emulator or a
// sanitizer go to stderr. A Go test reads both.
#include <math.h>
#include <string.h>

#include <string>
#include <thread>
#include <vector>

#include "../driver.h"
#include "params.h"

namespace {

const int n = 512;
CUmodule module;
CUdeviceptr x, y;
std::vector<float> input(n), output(n);

CUfunction function(const char* name) {
  CUfunction f;
  CHECK(cuModuleGetFunction(&f, module, name));
  return f;
}

PlantedParams params(int count = n) { return {(const float*)x, (float*)y, count, 0}; }

void run(const char* name, unsigned threads, unsigned blocks = 1, int count = n) {
  CHECK(launch(function(name), {blocks}, threads, params(count)));
  CHECK(cuCtxSynchronize());
  CHECK(cuMemcpyDtoH_v2(output.data(), y, n * sizeof(float)));
}

int report(bool right) {
  puts(right ? "result right" : "result wrong");
  return 0;
}

bool all_equal(int count, float v) {
  for (int i = 0; i < count; i++)
    if (!(output[i] == v)) return false;
  return true;
}
bool starts_with(const std::string& s, const char* p) { return s.compare(0, strlen(p), p) == 0; }

int kernel(const std::string& name) {
  if (starts_with(name, "broadcast")) return run(name.c_str(), 128), report(all_equal(128, input[0]));
  if (starts_with(name, "warp_tree")) return run(name.c_str(), 32), report(output[0] == 31 * 16);
  if (starts_with(name, "count")) {
    CHECK(cuMemsetD8_v2(y, 0, sizeof(float)));
    return run(name.c_str(), 128), report(output[0] == 128);
  }
  if (starts_with(name, "async_copy")) return run(name.c_str(), 128), report(!memcmp(output.data(), input.data(), n * sizeof(float)));
  if (name == "read_twice") return run(name.c_str(), 128), report(true);
  if (name == "last_block_ok") {
    CHECK(cuMemsetD8_v2(y, 0, sizeof(float)));
    return run(name.c_str(), 32, 4), report(output[0] == 0 && output[1] == 1);
  }
  if (name == "warp_collectives") return run(name.c_str(), 64), report(all_equal(64, 31 * 16 + 1 + 3));
  if (name == "global_out_of_bounds") return run(name.c_str(), 128, 5), report(true);
  if (name == "shared_out_of_bounds" || name == "barrier_divergence") return run(name.c_str(), 64), report(true);
  return run(name.c_str(), 32), report(true);
}

// ---- tensor cores ------------------------------------------------------------------------------------------------------

float rounded(float v, int bits) {  // to the given number of bits of mantissa, to nearest
  uint32_t u;
  memcpy(&u, &v, 4);
  const uint32_t unit = 1u << (23 - bits);
  u = (u + unit / 2) & ~(unit - 1);
  memcpy(&v, &u, 4);
  return v;
}

int gemm(const char* name, bool bf16) {
  const int k = 80, count = 16 * k;
  std::vector<float> a(count), b(count);
  for (int i = 0; i < count; i++) a[i] = rounded(sinf(i * 1.7f), bf16 ? 7 : 10), b[i] = rounded(cosf(i * 2.3f), bf16 ? 7 : 10);
  CUdeviceptr da, db;
  CHECK(cuMemAlloc_v2(&da, count * sizeof(float)));
  CHECK(cuMemAlloc_v2(&db, count * sizeof(float)));
  for (auto& [device, host] : {std::pair<CUdeviceptr, std::vector<float>*>{da, &a}, {db, &b}}) {
    std::vector<uint16_t> half(count);
    for (int i = 0; i < count; i++) half[i] = (uint16_t)(((const uint32_t*)host->data())[i] >> 16);
    CHECK(bf16 ? cuMemcpyHtoD_v2(device, half.data(), count * 2) : cuMemcpyHtoD_v2(device, host->data(), count * 4));
  }
  CHECK(launch(function(name), {1}, 32, GemmParams{(const void*)da, (const void*)db, (float*)y, k, 0}));
  CHECK(cuMemcpyDtoH_v2(output.data(), y, 256 * sizeof(float)));
  double worst = 0;
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) {
      double sum = 0;
      for (int q = 0; q < k; q++) sum += (double)a[i * k + q] * b[q * 16 + j];
      const double e = fabs(sum - output[i * 16 + j]);
      worst = e <= worst ? worst : e;  // NaN stays NaN
    }
  return report(worst < 1e-5);
}

int wgmma(const char* name) {
  for (int i = 0; i < n; i++) input[i] = (float)(i * 7 % 31);
  CHECK(cuMemcpyHtoD_v2(x, input.data(), n * sizeof(float)));
  CHECK(launch(function(name), {1}, 128, params(), 16384));
  CHECK(cuCtxSynchronize());
  CHECK(cuMemcpyDtoH_v2(output.data(), y, n * sizeof(float)));
  bool right = true;
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 64; j++) {
      float sum = 0;
      for (int q = 0; q < 16; q++) sum += input[(i * 16 + q) % n] * input[(j * 16 + q + 1) % n];
      right &= output[i * 64 + j] == sum;
    }
  return report(right);
}

// A matrix of 6 rows and 56 columns in lines of 128 bytes. A box from (2, 8) on reaches beyond its
// end in both directions.
int tma(const char* name) {
  std::vector<uint16_t> matrix(16 * 64);
  for (size_t i = 0; i < matrix.size(); i++) {
    const float v = (float)(i % 127 + 1);
    uint32_t u;
    memcpy(&u, &v, 4);
    matrix[i] = (uint16_t)(u >> 16);
  }
  CUdeviceptr m, map;
  CHECK(cuMemAlloc_v2(&m, matrix.size() * 2));
  CHECK(cuMemAlloc_v2(&map, sizeof(PlantedMap)));
  CHECK(cuMemcpyHtoD_v2(m, matrix.data(), matrix.size() * 2));
  const PlantedMap host = tensor_map<PlantedMap>((const void*)m, 56, 6, 128);
  CHECK(cuMemcpyHtoD_v2(map, &host, sizeof host));
  CHECK(launch(function(name), {1}, 32, TmaParams{host, (const PlantedMap*)map, (float*)y, {}}, 1024));
  CHECK(cuCtxSynchronize());
  CHECK(cuMemcpyDtoH_v2(output.data(), y, n * sizeof(float)));
  bool right = true;
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 64; j++) right &= output[i * 64 + j] == (i + 2 < 6 && j + 8 < 56 ? (float)(((i + 2) * 64 + j + 8) % 127 + 1) : 0);
  return report(right);
}

// ---- misuses of the driver -------------------------------------------------------------------------------------------

// The host does not wait for the stream, so it reads the pinned buffer too early.
int forgotten_synchronisation(bool ok) {
  CUstream s;
  float* host;
  CHECK(cuStreamCreate(&s, 1));
  CHECK(cuMemAllocHost_v2((void**)&host, n * sizeof(float)));
  memset(host, 0, n * sizeof(float));
  CHECK(launch(function("plus_one"), {4}, 128, params(), 0, s));
  CHECK(cuMemcpyDtoHAsync_v2(host, y, n * sizeof(float), s));
  if (ok) CHECK(cuStreamSynchronize(s));
  return report(host[3] == input[3] + 1);
}

// Two kernels on two streams. The second kernel needs the first one's result. With capture, both
// are captured.
int two_streams(bool wait, bool capture) {
  CUstream a, b;
  CUevent begin, done, end;
  CHECK(cuStreamCreate(&a, 1));
  CHECK(cuStreamCreate(&b, 1));
  for (CUevent* e : {&begin, &done, &end}) CHECK(cuEventCreate(e, 2));
  CUdeviceptr z;
  CHECK(cuMemAlloc_v2(&z, n * sizeof(float)));
  if (capture) {
    CHECK(cuStreamBeginCapture_v2(a, 0));
    CHECK(cuEventRecord(begin, a));
    CHECK(cuStreamWaitEvent(b, begin, 0));
  }
  CHECK(launch(function("plus_one"), {4}, 128, params(), 0, a));  // y = x + 1
  if (wait) {
    CHECK(cuEventRecord(done, a));
    CHECK(cuStreamWaitEvent(b, done, 0));
  }
  CHECK(launch(function("plus_one"), {4}, 128, PlantedParams{(const float*)y, (float*)z, n, 0}, 0, b));  // z = y + 1
  if (capture) {
    CHECK(cuEventRecord(end, b));
    CHECK(cuStreamWaitEvent(a, end, 0));
    CUgraph graph;
    CUgraphExec executable;
    CHECK(cuStreamEndCapture(a, &graph));
    CHECK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    CHECK(cuMemsetD8_v2(y, 0xff, n * sizeof(float)));
    CHECK(cuGraphLaunch(executable, a));
  }
  CHECK(cuCtxSynchronize());
  CHECK(cuMemcpyDtoH_v2(output.data(), z, n * sizeof(float)));
  return report(output[3] == input[3] + 2);
}

// expect prints what a call returned.
int expect(CUresult r) {
  const char* name = "?";
  cuGetErrorName(r, &name);
  printf("%s\n", name);
  return 0;
}

int unjoined_capture() {
  CUstream a, b;
  CUevent e;
  CHECK(cuStreamCreate(&a, 1));
  CHECK(cuStreamCreate(&b, 1));
  CHECK(cuEventCreate(&e, 2));
  CHECK(cuStreamBeginCapture_v2(a, 0));
  CHECK(cuEventRecord(e, a));
  CHECK(cuStreamWaitEvent(b, e, 0));
  CHECK(launch(function("plus_one"), {4}, 128, params(), 0, b));
  CUgraph g;
  return expect(cuStreamEndCapture(a, &g));
}

int no_context() {
  CUresult r = 0;
  const CUfunction f = function("plus_one");
  std::thread([&] { r = launch(f, {4}, 128, params()); }).join();
  return expect(r);
}

int stale_image() {
  const char* ptx = ".version 9.0\n.visible .entry plus_one(\n.param .align 8 .b8 plus_one_param_0[16]\n)\n{\n}\n";
  CUmodule m;
  CUfunction f;
  CHECK(cuModuleLoadData(&m, ptx));
  return expect(cuModuleGetFunction(&f, m, "plus_one"));
}

int shared_too_large() {
  const unsigned bytes = 220 << 10;
  CUfunction f = function("shared_too_large");
  CHECK(cuFuncSetAttribute(f, 8, bytes));
  return expect(launch(f, {1}, 32, params(), bytes));
}

int fault() {
  CHECK(launch(function("plus_one"), {4}, 128, params()));
  return expect(cuCtxSynchronize());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "no_context") {
    CHECK(cuInit(0));
    CUdeviceptr p;
    return expect(cuMemAlloc_v2(&p, 4));
  }
  current_context();
  CHECK(cuModuleLoadData(&module, "tributary emulated kernels"));
  CHECK(cuMemAlloc_v2(&x, n * sizeof(float)));
  CHECK(cuMemAlloc_v2(&y, n * sizeof(float)));
  for (int i = 0; i < n; i++) input[i] = (float)(i % 32);
  if (starts_with(what, "broadcast")) input[0] = 3;
  CHECK(cuMemcpyHtoD_v2(x, input.data(), n * sizeof(float)));

  if (what == "gemm_bf16") return gemm("gemm_bf16", true);
  if (what == "gemm_tf32") return gemm("gemm_tf32", false);
  if (starts_with(what, "wgmma")) return wgmma(what.c_str());
  if (starts_with(what, "tma")) return tma(what.c_str());
  if (what == "synchronised") return forgotten_synchronisation(true);
  if (what == "forgotten_synchronisation") return forgotten_synchronisation(false);
  if (what == "streams_ok") return two_streams(true, false);
  if (what == "streams_no_wait") return two_streams(false, false);
  if (what == "captured_ok") return two_streams(true, true);
  if (what == "captured_no_wait") return two_streams(false, true);
  if (what == "unjoined_capture") return unjoined_capture();
  if (what == "no_context_on_thread") return no_context();
  if (what == "stale_image") return stale_image();
  if (what == "shared_too_large") return shared_too_large();
  if (what == "fault") return fault();
  if (what == "copy_out_of_bounds") return expect(cuMemcpyHtoD_v2(y + 8, input.data(), n * sizeof(float)));
  if (what == "too_many_threads") return expect(launch(function("plus_one"), {4}, 256, params()));
  if (what == "too_many_registers") return expect(launch(function("too_many_registers"), {1}, 512, params()));
  if (what == "too_much_shared") return expect(launch(function("plus_one"), {4}, 128, params(), 64 << 10));
  if (what == "params_in_a_buffer") {
    PlantedParams p = params();
    size_t size = sizeof p;
    void* extra[] = {(void*)1, &p, (void*)2, &size, nullptr};
    return expect(cuLaunchKernel(function("plus_one"), 4, 1, 1, 128, 1, 1, 0, nullptr, nullptr, extra));
  }
  if (what == "unknown_call") return expect(cuMemAllocManaged(&x, 4, 1));
  return kernel(what);
}
