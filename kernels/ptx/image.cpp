// image.cpp: from images to kernels. PTX is executed as it is; of a cubin the PTX is, which the
// compiler made on the way to it. make cubins leaves both in one folder (PTX_CUBINS).
#include <dirent.h>
#include <elf.h>

#include <algorithm>

#include "../emulator/driver/driver.h"
#include "machine.h"

namespace ptx {

std::vector<Code*>& all_code() {
  static auto* v = new std::vector<Code*>;
  return *v;
}

static bool read_file(const std::string& path, std::string* s) {
  FILE* f = fopen(path.c_str(), "rb");
  if (!f) return false;
  char buffer[1 << 16];
  s->clear();
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) s->append(buffer, n);
  fclose(f);
  return true;
}

struct Loaded {
  std::unique_ptr<Module> module;
  std::map<std::string, Code*> kernels;
};

// load decodes a text once: kernels of an image that is loaded again are those of the first time.
static driver::Result load(const std::string& text, const std::string& file, const Loaded** loaded) {
  static auto& known = *new std::map<std::string, Loaded>;
  auto f = known.find(text);
  if (f == known.end()) {
    Loaded l;
    try {
      l.module = parse(text);
      for (const auto& e : l.module->entries) l.kernels[e->name] = decode(*l.module, *e, file);
    } catch (const Error& e) {
      return driver::say(driver::INVALID_PTX, "%s: %s", file.empty() ? "PTX" : file.c_str(), e.what());
    }
    for (const auto& k : l.kernels) all_code().push_back(k.second);
    f = known.emplace(text, std::move(l)).first;
  }
  *loaded = &f->second;
  return driver::OK;
}

// runs_here says whether the device takes code for a target such as sm_80 or sm_90a.
static bool runs_here(const std::string& target) {
  int n = 0;
  char exactly = 0;
  sscanf(target.c_str(), "sm_%d%c", &n, &exactly);
  const int here = settings().major * 10 + settings().minor;
  return exactly ? n == here : n <= here;
}

// source_of finds the PTX beside a cubin. The first bytes of ELF say how long it is.
static driver::Result source_of(const char* cubin, std::string* text, std::string* file) {
  const std::string& folder = settings().cubins;
  DIR* d = opendir(folder.c_str());
  if (!d) return driver::say(driver::NO_BINARY_FOR_GPU, "the image is a cubin, and its PTX should be in %s, which is not there: run make cubins", folder.c_str());
  std::vector<std::string> names;
  while (const dirent* e = readdir(d)) names.push_back(e->d_name);
  closedir(d);
  std::string data;
  for (const std::string& name : names) {
    const size_t dot = name.find(".cubin");
    if (dot == std::string::npos || !read_file(folder + "/" + name, &data) || data.size() < sizeof(Elf64_Ehdr)) continue;
    if (memcmp(data.data(), cubin, sizeof(Elf64_Ehdr)) || memcmp(data.data(), cubin, data.size())) continue;
    *file = name.substr(0, dot) + ".ptx";
    if (!read_file(folder + "/" + *file, text)) break;
    return driver::OK;
  }
  return driver::say(driver::NO_BINARY_FOR_GPU, "the image is a cubin that is not in %s with its PTX: run make cubins", folder.c_str());
}

}  // namespace ptx

namespace driver {

Result read_image(const void* data, Image* image) {
  const char* s = (const char*)data;
  std::string text, file;
  if (!memcmp(s, ELFMAG, SELFMAG)) {
    const auto* header = (const Elf64_Ehdr*)s;
    const unsigned arch = header->e_ident[EI_ABIVERSION] < 8 ? header->e_flags & 0xff : header->e_flags >> 8 & 0xff;
    if (arch != 90 || ptx::settings().major != 9) return say(NO_BINARY_FOR_GPU, "the image is for sm_%u, and the machine takes cubins for sm_90a alone", arch);
    if (Result r = ptx::source_of(s, &text, &file)) return r;
  } else if (strstr(s, ".version")) {
    text = s;
    image->ptx = true;
  } else {
    return say(INVALID_IMAGE, "the image is neither a cubin nor PTX");
  }
  const ptx::Loaded* l;
  if (Result r = ptx::load(text, file, &l)) return r;
  if (!ptx::runs_here(l->module->target)) return say(NO_BINARY_FOR_GPU, "the image is for %s", l->module->target.c_str());
  for (const auto& [name, code] : l->kernels) image->kernels[name] = code->param_size;
  image->code = &l->kernels;
  return OK;
}

Result find_kernel(const Image& image, const std::string& name, const emu::Kernel** kernel) {
  const auto& kernels = *(const std::map<std::string, ptx::Code*>*)image.code;
  const auto f = kernels.find(name);
  if (f == kernels.end()) return NOT_FOUND;
  *kernel = f->second;
  return OK;
}

}  // namespace driver
