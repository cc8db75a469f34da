// flow.cpp: what must hold on every path through a kernel, whatever its data are. It is checked
// when a module is loaded.
//
//   - between a write of an accumulator and the wgmma that takes it comes a wgmma.fence, unless a
//     wgmma of the same accumulators wrote it
//   - nothing reads or writes the accumulators of a wgmma before a wgmma.wait_group
#include <algorithm>

#include "machine.h"

namespace ptx {
namespace {

struct Flow {
  const Code& c;
  std::vector<std::vector<uint32_t>> next, before;
  std::vector<bool> is_wgmma;

  explicit Flow(const Code& c) : c(c), next(c.ops.size()), before(c.ops.size()), is_wgmma(c.ops.size()) {
    for (uint32_t i = 0; i < c.ops.size(); i++) {
      const Op& o = c.ops[i];
      const bool always = o.guard == NOTHING;
      if (o.kind == BRANCH) next[i].push_back(o.target);
      if ((o.kind != BRANCH && o.kind != EXIT && o.kind != TRAP) || !always) next[i].push_back(i + 1);
      for (const uint32_t n : next[i]) before[n].push_back(i);
      is_wgmma[i] = starts(i, "wgmma.mma_async");
    }
  }

  bool starts(uint32_t i, const char* name) const { return i < c.entry->code.size() && c.entry->code[i].op.compare(0, strlen(name), name) == 0; }
  std::vector<uint32_t> list(uint32_t at) const { return {c.lists.begin() + at + 1, c.lists.begin() + at + 1 + c.lists[at]}; }
  std::vector<uint32_t> reads(uint32_t i) const { return list(c.ops[i].reads); }
  std::vector<uint32_t> writes(uint32_t i) const { return list(c.ops[i].writes); }

  [[noreturn]] void fail(uint32_t i, const std::string& why) const {
    const Instruction& in = c.entry->code[i];
    throw Error("kernel " + c.entry->name + ", line " + std::to_string(in.line) + ": " + in.text.substr(0, 160) + ": " + why);
  }

  // walk visits what comes after, or before, an instruction, until visit says that a path need not
  // be followed.
  template <class F> void walk(uint32_t from, const std::vector<std::vector<uint32_t>>& edges, F visit) const {
    std::vector<bool> seen(c.ops.size());
    std::vector<uint32_t> todo = edges[from];
    while (!todo.empty()) {
      const uint32_t i = todo.back();
      todo.pop_back();
      if (seen[i]) continue;
      seen[i] = true;
      if (visit(i)) todo.insert(todo.end(), edges[i].begin(), edges[i].end());
    }
  }

  static bool meet(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
    return std::any_of(a.begin(), a.end(), [&](uint32_t r) { return std::find(b.begin(), b.end(), r) != b.end(); });
  }

  void check_wgmma(uint32_t w) const {
    const std::vector<uint32_t> accumulators = writes(w);
    walk(w, before, [&](uint32_t i) {
      if (starts(i, "wgmma.fence")) return false;
      if (!meet(accumulators, writes(i))) return true;
      if (!is_wgmma[i] || writes(i) != accumulators) fail(w, "missing fence: line " + std::to_string(c.entry->code[i].line) + " writes an accumulator, and no wgmma.fence follows");
      return false;
    });
    walk(w, next, [&](uint32_t i) {
      if (starts(i, "wgmma.wait_group")) return false;
      if (i >= c.entry->code.size()) return true;
      const bool same = is_wgmma[i] && writes(i) == accumulators;
      if (!same && (meet(accumulators, reads(i)) || meet(accumulators, writes(i)))) fail(i, "it uses an accumulator of the wgmma at line " + std::to_string(c.entry->code[w].line) + ", which is in flight");
      return true;
    });
  }
};

}  // namespace

void check_flow(const Code& c) {
  const Flow f(c);
  for (uint32_t i = 0; i < c.ops.size(); i++)
    if (f.is_wgmma[i]) f.check_wgmma(i);
}

}  // namespace ptx
