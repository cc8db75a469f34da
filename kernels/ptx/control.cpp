// control.cpp: branches, ends, barriers of a block, and fences of global memory. The scheduler does
// what concerns the order of instructions; here is how they are decoded.
#include "forms.h"

namespace ptx {
namespace {

void decode_branch(Decoder& d, const Form& f) {
  d.want(1);
  const auto l = d.entry.labels.find(d.operand(0).name);
  if (l == d.entry.labels.end()) d.fail("unknown label");
  d.op->target = (uint32_t)l->second;
  d.op->uniform = f.mode;
}
void decode_barrier(Decoder& d, const Form&) {
  d.want(1);
  d.op->target = d.immediate(d.operand(0), 15);
}
void decode_nothing(Decoder& d, const Form&) { d.want(0); }

void fence(Warp& w, const Op&) { publish(w, w.m); }

}  // namespace

void add_control_forms(Forms& f) {
  f.special("bra", decode_branch, nullptr, BRANCH);
  f.special("bra.uni", decode_branch, nullptr, BRANCH, false, 1);
  f.special("ret", decode_nothing, nullptr, EXIT);
  f.special("exit", decode_nothing, nullptr, EXIT);
  f.special("trap", decode_nothing, nullptr, TRAP);
  f.special("bar.sync", decode_barrier, nullptr, BARRIER, true);
  f.special("membar.gl", decode_nothing, fence);
}

}  // namespace ptx
