// errors.cpp: what a kernel does wrong ends the process, with a message that says where it is.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

namespace ptx {

static void print(const char* format, va_list args) {
  fprintf(stderr, "\nptx: error: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
}

void fault(const Warp& w, const Op& o, int lane, const char* format, ...) {
  va_list args;
  va_start(args, format);
  print(format, args);
  const Block& b = *w.block;
  const Entry& e = *b.code->entry;
  fprintf(stderr, "ptx:   in kernel %s, block (%u,%u,%u), warp %d, lane %d\n", e.name.c_str(), b.id.x, b.id.y, b.id.z, w.index, lane);
  if (o.index < e.code.size())
    fprintf(stderr, "ptx:   at line %d%s%s: %.160s\n", e.code[o.index].line, b.code->file.empty() ? "" : " of ", b.code->file.c_str(), e.code[o.index].text.c_str());
  abort();
}

void fault(const Block& b, const char* format, ...) {
  va_list args;
  va_start(args, format);
  print(format, args);
  fprintf(stderr, "ptx:   in kernel %s, block (%u,%u,%u)\n", b.code->name, b.id.x, b.id.y, b.id.z);
  abort();
}

}  // namespace ptx
