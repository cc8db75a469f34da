// graph.cpp: stream capture and graphs.
//
// A captured node depends on what its stream had captured before it and on the events that the
// stream waited for. A launch runs the nodes in the order of capture, or, with EMULATOR_SEED, in a
// random order that the dependencies allow: so a wait for an event that was forgotten between two
// streams shows. The trace build compares what nodes use that may run side by side: there the
// forgotten wait shows whatever the order (footprint.cpp).
#include <algorithm>

#include "driver.h"

using namespace driver;

namespace {

int captures;
std::set<Graph*>& graphs() {
  static auto* s = new std::set<Graph*>;
  return *s;
}
std::set<Graph*>& executables() {
  static auto* s = new std::set<Graph*>;
  return *s;
}

// reaches says which nodes the last work of a stream depends on.
std::vector<bool> reaches(const Graph& g, std::vector<int> from) {
  std::vector<bool> seen(g.nodes.size());
  while (!from.empty()) {
    const size_t i = (size_t)from.back();
    from.pop_back();
    if (seen[i]) continue;
    seen[i] = true;
    from.insert(from.end(), g.nodes[i].after.begin(), g.nodes[i].after.end());
  }
  return seen;
}

// find_race fails the context where two nodes that may run side by side use the same memory, unless
// both only read it.
[[maybe_unused]] void find_race(const Graph& g, const std::vector<emu::Footprint>& used) {
  std::vector<std::vector<bool>> before;
  for (size_t i = 0; i < g.nodes.size(); i++) {
    before.push_back(reaches(g, g.nodes[i].after));
    for (size_t j = 0; j < i; j++) {
      const void* at = before[i][j] ? nullptr : emu::meet(used[i], used[j]);
      if (!at || driver::driver().sticky) continue;
      say(LAUNCH_FAILED, "race: %s and %s, nodes %zu and %zu of a graph, do not wait for each other, and both use the byte at %p, which one of them writes",
          g.nodes[j].name, g.nodes[i].name, j, i, at);
      driver::driver().sticky = LAUNCH_FAILED;
    }
  }
}

void run(const Graph& g) {
  static uint64_t x = emu::seed() * 0x9E3779B97F4A7C15ull + 1;
  const size_t n = g.nodes.size();
  std::vector<bool> done(n);
  std::vector<emu::Footprint> used(emu::watching ? n : 0);
  for (size_t ran = 0; ran < n; ran++) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < n && (ready.empty() || emu::seed()); i++)
      if (!done[i] && std::all_of(g.nodes[i].after.begin(), g.nodes[i].after.end(), [&](int j) { return done[(size_t)j]; })) ready.push_back(i);
    x = x * 6364136223846793005ull + 1442695040888963407ull;
    const size_t i = ready[emu::seed() ? (x >> 33) % ready.size() : 0];
    if constexpr (emu::watching) emu::begin_footprint(&used[i]);
    if (!driver::driver().sticky) g.nodes[i].work();
    if constexpr (emu::watching) emu::end_footprint();
    done[i] = true;
  }
  if constexpr (emu::watching) find_race(g, used);
}

}  // namespace

namespace driver {

void record(Stream* s, Work work, const char* name) {
  Graph* g = s->capture->graph;
  g->nodes.push_back({std::move(work), name, s->after});
  s->after = {(int)g->nodes.size() - 1};
}

bool capturing() { return captures > 0; }

}  // namespace driver

API cuStreamBeginCapture_v2(void* stream, int mode) {
  ENTER_CONTEXT;
  Stream* s = stream_of(stream);
  if (!s) return say(INVALID_HANDLE, "%s: no such stream: %p", __func__, stream);
  if (!stream) return say(STREAM_CAPTURE_UNSUPPORTED, "%s: the legacy stream cannot capture", __func__);
  if (mode < 0 || mode > 2) return say(INVALID_VALUE, "%s: mode %d", __func__, mode);
  if (s->capture) return say(ILLEGAL_STATE, "%s: the stream is capturing", __func__);
  s->capture = new Capture{new Graph, s};
  s->after.clear();
  captures++;
  return OK;
}
API cuStreamEndCapture(void* stream, void** graph) {
  ENTER_CONTEXT;
  Stream* s = stream_of(stream);
  if (!s) return say(INVALID_HANDLE, "%s: no such stream: %p", __func__, stream);
  Capture* c = s->capture;
  if (!c) return say(ILLEGAL_STATE, "%s: the stream is not capturing", __func__);
  if (c->origin != s) return say(STREAM_CAPTURE_UNMATCHED, "%s: the capture began in another stream", __func__);
  const std::vector<bool> joined = reaches(*c->graph, s->after);
  const bool all = std::find(joined.begin(), joined.end(), false) == joined.end();
  for (Stream* t : streams())
    if (t->capture == c) t->capture = nullptr, t->after.clear();
  captures--;
  Graph* g = c->graph;
  delete c;
  if (!all) {
    delete g;
    *graph = nullptr;
    return say(STREAM_CAPTURE_UNJOINED, "%s: another stream has captured work that this one does not wait for", __func__);
  }
  graphs().insert(g);
  *graph = g;
  return OK;
}
API cuStreamIsCapturing(void* stream, int* status) {
  ENTER_CONTEXT;
  Stream* s = stream_of(stream);
  if (!s) return say(INVALID_HANDLE, "%s: no such stream: %p", __func__, stream);
  *status = s->capture != nullptr;
  return OK;
}

#define GRAPH(g, handle, set)         \
  Graph* const g = (Graph*)handle;    \
  if (!set().count(g)) return say(INVALID_HANDLE, "%s: no such graph: %p", __func__, handle)

API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long flags) {
  ENTER_CONTEXT;
  if (flags & ~8ull) return say(INVALID_VALUE, "%s: flags %llu; known is 8, USE_NODE_PRIORITY", __func__, flags);
  GRAPH(g, graph, graphs);
  Graph* x = new Graph(*g);
  executables().insert(x);
  *executable = x;
  return OK;
}
API cuGraphUpload(void* executable, void*) {
  ENTER_CONTEXT;
  GRAPH(x, executable, executables);
  (void)x;
  return OK;
}
API cuGraphLaunch(void* executable, void* stream) {
  ENTER_CONTEXT;
  GRAPH(x, executable, executables);
  return submit(stream, [=] { run(*x); }, "a graph");
}
API cuGraphGetNodes(void* graph, void** nodes, size_t* count) {
  ENTER_CONTEXT;
  GRAPH(g, graph, graphs);
  if (nodes) return say(NOT_SUPPORTED, "%s gives only the number of nodes", __func__);
  *count = g->nodes.size();
  return OK;
}
API cuGraphDestroy(void* graph) {
  ENTER_CONTEXT;
  GRAPH(g, graph, graphs);
  graphs().erase(g);
  delete g;
  return OK;
}
API cuGraphExecDestroy(void* executable) {
  ENTER_CONTEXT;
  GRAPH(x, executable, executables);
  drain_all();
  executables().erase(x);
  delete x;
  return OK;
}
