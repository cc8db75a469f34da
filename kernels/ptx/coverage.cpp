// coverage.cpp: how often each instruction was executed, at the end of the process (PTX_COVERAGE):
// kernel, line, count, instruction.
#include <stdio.h>

#include "machine.h"

namespace ptx {
namespace {

struct AtExit {
  ~AtExit() {
    if (!settings().coverage) return;
    FILE* f = fopen(settings().coverage, "a");
    if (!f) {
      perror(settings().coverage);
      return;
    }
    for (const Code* c : all_code())
      for (size_t i = 0; i < c->entry->code.size(); i++)
        fprintf(f, "%s\t%d\t%llu\t%s\n", c->name, c->entry->code[i].line, (unsigned long long)c->counts[i], c->entry->code[i].text.c_str());
    fclose(f);
  }
} at_exit;

}  // namespace
}  // namespace ptx
