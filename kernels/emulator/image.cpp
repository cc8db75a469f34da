// image.cpp: which kernels an image has, and how many bytes of parameters each takes.
//
// The emulator runs its own host build of the kernels, so the image is not executed; but a program
// that would load a stale image on a GPU is stopped here already. Three kinds of image are
// understood:
//
//   PTX      .entry name( .param .align A .b8 name_param_0[SIZE] )
//   cubin    ELF: a section .nv.info.NAME for each kernel, in which attribute 0x19 is the size of the parameters; the flags say
//            for which architecture it is, and another than the device's is refused
//   the text "tributary emulated kernels": no image was built; every kernel of the host build is there
//
// A fat binary is taken without a look inside.
#include <elf.h>

#include "driver/driver.h"
#include "emulator.h"

namespace driver {

static void read_ptx(const char* s, Image* image) {
  for (const char* e = s; (e = strstr(e, ".entry "));) {
    e += strlen(".entry ");
    const std::string name(e, strcspn(e, "( \n"));
    const char* body = strstr(e, "\n{");
    const char* param = strstr(e, (name + "_param_0[").c_str());
    size_t size = 0;
    if (param && (!body || param < body)) size = strtoul(param + name.size() + strlen("_param_0["), nullptr, 10);
    image->kernels[name] = size;
  }
}

// param_size walks the attributes of one kernel: a byte of format, a byte of attribute, and then
// two bytes of value, or of length and so many bytes. A parameter's description has its index,
// ordinal, offset, and from bit 18 of the last word on its size.
static size_t param_size(const unsigned char* p, size_t n) {
  enum { no_value = 1, byte_value = 2, half_value = 3, sized_value = 4, parameter = 0x17 };
  for (size_t i = 0; i + 4 <= n;) {
    const unsigned value = p[i + 2] | p[i + 3] << 8;
    if (p[i] == sized_value && p[i + 1] == parameter && value == 12 && i + 16 <= n) {
      uint32_t last;
      memcpy(&last, p + i + 12, 4);
      return last >> 18;
    }
    i += 4 + (p[i] == sized_value ? value : 0);
  }
  return 0;
}

static Result read_cubin(const char* base, Image* image) {
  const auto* header = (const Elf64_Ehdr*)base;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(Elf64_Shdr))
    return say(INVALID_IMAGE, "the image is ELF, but not of 64 bits");
  const unsigned arch = header->e_ident[EI_ABIVERSION] < 8 ? header->e_flags & 0xff : header->e_flags >> 8 & 0xff;
  if (arch != 90) return say(NO_BINARY_FOR_GPU, "the image is for sm_%u, the device is sm_90", arch);
  const auto* sections = (const Elf64_Shdr*)(base + header->e_shoff);
  const char* names = base + sections[header->e_shstrndx].sh_offset;
  const std::string text = ".text.", info = ".nv.info.";
  std::map<std::string, size_t> sizes;
  for (unsigned i = 0; i < header->e_shnum; i++) {
    const std::string name = names + sections[i].sh_name;
    if (name.compare(0, text.size(), text) == 0) image->kernels[name.substr(text.size())];
    if (name.compare(0, info.size(), info) == 0)
      sizes[name.substr(info.size())] = param_size((const unsigned char*)base + sections[i].sh_offset, sections[i].sh_size);
  }
  for (auto& k : image->kernels) k.second = sizes[k.first];
  return OK;
}

Result read_image(const void* data, Image* image) {
  static const char emulated[] = "tributary emulated kernels";
  const char* s = (const char*)data;
  uint32_t magic;
  memcpy(&magic, s, 4);
  if (magic == 0x464c457f) return read_cubin(s, image);
  if (magic == 0xba55ed50) {
    image->opaque = true;
    return OK;
  }
  if (!strncmp(s, emulated, strlen(emulated))) {
    for (const emu::Kernel* k = emu::kernels; k; k = k->next) image->kernels[k->name] = k->param_size;
    return OK;
  }
  if (!strstr(s, ".version")) return say(INVALID_IMAGE, "the image is neither a cubin nor PTX");
  image->ptx = true;
  read_ptx(s, image);
  return OK;
}

Result find_kernel(const Image& image, const std::string& name, const emu::Kernel** kernel) {
  const auto i = image.kernels.find(name);
  if (!image.opaque && i == image.kernels.end()) return NOT_FOUND;  // the caller may look in another image
  const emu::Kernel* k = emu::find_kernel(name.c_str());
  if (!k) return say(NOT_FOUND, "the emulator was built without kernel %s", name.c_str());
  if (!image.opaque && i->second != k->param_size)
    return say(INVALID_IMAGE, "kernel %s takes %zu bytes of parameters in the image and %zu in the source: the image is stale", name.c_str(),
               i->second, k->param_size);
  *kernel = k;
  return OK;
}

}  // namespace driver
