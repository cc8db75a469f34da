// main.cpp: runs the kernel tests whose names begin with an argument, or all tests.
//
//   kernel_tests [--seed n] [--rounds percent] [name ...]
//
// TRIBUTARY_CUBINS names a folder of cubin or PTX files, which a real GPU needs. Without it the
// emulator's kernels run.
#include <dirent.h>
#include <stdarg.h>

#include <chrono>
#include <map>

#include "harness.h"

namespace test {

static int failures;
static const char* running;
static std::vector<CUmodule> modules;

std::vector<Test>& tests() {
  static std::vector<Test> t;
  return t;
}

void fail(const char* format, ...) {
  if (++failures > 20) return;
  va_list args;
  va_start(args, format);
  printf("FAIL %s: ", running);
  vprintf(format, args);
  printf("\n");
  va_end(args);
}

void compare_vector(const char* what, const std::vector<float>& got, double absolute, double relative, const std::function<double(int)>& want) {
  for (size_t i = 0; i < got.size(); i++) {
    const double w = want((int)i);
    if (got[i] == w || (got[i] != got[i] && w != w)) continue;
    if (!(fabs(got[i] - w) <= absolute + relative * fabs(w))) fail("%s: element %zu of %zu: %.9g, want %.9g", what, i, got.size(), got[i], w);
  }
}

CUfunction kernel(const std::string& name) {
  static std::map<std::string, CUfunction> known;
  CUfunction& f = known[name];
  for (size_t i = 0; !f && i < modules.size(); i++) {
    const CUresult r = cuModuleGetFunction(&f, modules[i], name.c_str());
    if (r && r != 500) CHECK(r);  // 500: the kernel is in another cubin
  }
  if (!f) fprintf(stderr, "no cubin has kernel %s\n", name.c_str()), exit(2);
  return f;
}

static void load(const std::string& cubin) {
  CUmodule m;
  CHECK(cuModuleLoadData(&m, cubin.c_str()));
  modules.push_back(m);
}

static std::string read_file(const char* path) {
  std::string s;
  FILE* f = fopen(path, "rb");
  if (!f) {
    perror(path);
    exit(2);
  }
  char buffer[1 << 16];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) s.append(buffer, n);
  fclose(f);
  return s;
}

// has_wgmma reports whether this GPU is an sm_90, for which the cubins have sm_90a code.
static bool has_wgmma() {
  const int compute_capability_major = 75, compute_capability_minor = 76;
  CUdevice d;
  int major, minor;
  CHECK(cuDeviceGet(&d, 0));
  CHECK(cuDeviceGetAttribute(&major, compute_capability_major, d));
  CHECK(cuDeviceGetAttribute(&minor, compute_capability_minor, d));
  return major == 9 && minor == 0;
}

static void load_cubins(const std::string& folder) {
  DIR* d = opendir(folder.c_str());
  if (!d) {
    perror(folder.c_str());
    exit(2);
  }
  while (const dirent* e = readdir(d)) {
    const std::string name = e->d_name;
    if (name.find(".cubin") != std::string::npos || name.find(".ptx") != std::string::npos) load(read_file((folder + "/" + name).c_str()));
  }
  closedir(d);
}

}  // namespace test

int main(int argc, char** argv) {
  uint64_t seed = 1;
  int percent = 100;
  std::vector<std::string> names;
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    if (a == "--seed" && i + 1 < argc) seed = strtoull(argv[++i], nullptr, 10);
    else if (a == "--rounds" && i + 1 < argc) percent = atoi(argv[++i]);
    else names.push_back(a);
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);  // in a log, the message of a crash then follows the tests that passed
  current_context();
  if (const char* folder = getenv("TRIBUTARY_CUBINS"))
    test::load_cubins(folder);
  else
    test::load("tributary emulated kernels");
  int ran = 0;
  for (const test::Test& t : test::tests()) {
    bool wanted = names.empty();
    for (const std::string& n : names) wanted |= std::string(t.name).compare(0, n.size(), n) == 0;
    if (!wanted || (strstr(t.name, "_wgmma") && !test::has_wgmma())) continue;
    test::running = t.name;
    const int before = test::failures, rounds = t.rounds * percent / 100;
    const auto begin = std::chrono::steady_clock::now();
    test::Random r(seed);
    for (int i = 0; i < (rounds ? rounds : 1); i++) t.f(r);
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    printf("%-4s %-32s %7.1f ms\n", test::failures == before ? "ok" : "FAIL", t.name, ms);
    ran++;
  }
  printf("%d tests, %d failures\n", ran, test::failures);
  return test::failures || !ran;
}
