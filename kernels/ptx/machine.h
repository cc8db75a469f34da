// machine.h: the machine's state, and what its parts know of each other.
//
// A warp is 32 lanes with a pc each. Lanes with the same pc execute an instruction together
// (schedule.cpp). A register is 32 values in a row, of 4 or 8 bytes; a predicate is one mask. Each
// instruction becomes an Op when its module is loaded (decode.cpp): the function that executes it
// and where its operands lie. A form that is not in the table (forms.h) is an error then.
#pragma once
#include <string.h>

#include <map>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../emulator/driver/executor.h"
#include "parse.h"

namespace ptx {

// ---- settings.cpp ------------------------------------------------------------------------------------------------------
struct Settings {
  uint64_t seed;
  bool truncate, approximate, weak, stale;
  unsigned late, resident, shared_base;
  int major, minor, multiprocessors;
  std::string cubins;
  const char* coverage;
};
const Settings& settings();

uint32_t random_number();
inline uint32_t random_below(uint32_t n) { return random_number() % n; }
void seed_launch();  // a launch begins: it has random numbers of its own

// ---- global.cpp --------------------------------------------------------------------------------------------------------
// Allocation is a piece of device memory, with a bit for each byte that something was written to.
struct Allocation {
  uint64_t begin = 1, end = 0;
  uint64_t* written = nullptr;
};
bool find_allocation(uint64_t address, Allocation* a);

// ---- a kernel ----------------------------------------------------------------------------------------------------------
struct Warp;
struct Op;
typedef void (*Handler)(Warp&, const Op&);

// What the scheduler has to know of an instruction. SYNC waits for lanes: all with aligned, else
// those of the mask in e.
enum Kind : uint8_t { PLAIN, BRANCH, EXIT, TRAP, SYNC, BARRIER, WAIT };

constexpr uint32_t NOTHING = ~0u;  // no register

// What an instruction does with registers that nothing has written. A compiler may leave such
// values in places where they do not count; so arithmetic passes them on, and what a branch, an
// address, another lane or global memory depends on must have been written. OWN_RESULT: the
// instruction itself says in which lanes its result has a value.
enum Unwritten : uint8_t { FAULT, PASS_ON, PASS_ON_CHOSEN, OWN_RESULT };

struct Op {
  Handler execute = nullptr;
  Kind kind = PLAIN;
  Unwritten unwritten = FAULT;
  bool guard_negated = false, aligned = false;
  bool uniform = false;                                // bra.uni
  bool wide_address = false;                           // the address register has 64 bits
  bool sign = false;                                   // what is loaded is extended by its sign
  uint8_t size = 0, count = 1;                         // bytes of an element, elements
  uint8_t register_size = 4;                           // of what is loaded or stored: 2, 4 or 8
  uint8_t mode = 0;                                    // what the family makes of it
  uint32_t guard = NOTHING;                            // offset of the predicate
  uint32_t d = 0, d2 = NOTHING, a = 0, b = 0, c = 0, e = 0;  // offsets in the register file
  int64_t offset = 0, offset2 = 0;                     // of addresses
  uint32_t target = 0;                                 // of a branch; an immediate
  uint32_t list = 0, list2 = 0, list3 = 0, list4 = 0;  // in Code::lists: offsets of registers
  uint32_t reads = 0, writes = 0;                      // in Code::lists: a count, and so many registers
  uint32_t guard_register = NOTHING;
  uint32_t names = 0;  // in Code::lists: registers of which the instruction asks whether they have values, or NOTHING
  uint32_t index = 0;
};

struct Constant {
  uint32_t offset;
  uint64_t value;
  int bytes;  // 0: a predicate
};

struct Code : emu::Kernel {
  const Entry* entry;
  std::string file;
  std::vector<Op> ops;
  std::vector<uint64_t> counts;  // how often each was executed
  std::vector<uint32_t> lists;
  uint32_t register_bytes = 0;
  std::vector<Constant> constants;
  std::map<std::string, uint32_t> specials;  // special registers: offset
  std::map<std::string, uint32_t> symbols;   // variables: address
  uint32_t static_shared = 0;                // bytes
  uint32_t dynamic_shared = 0;               // address of the first byte
};

// decode.cpp
Code* decode(const Module& m, const Entry& e, const std::string& file);  // throws Error
// flow.cpp: what must hold on every path through a kernel
void check_flow(const Code& c);  // throws Error
// image.cpp
std::vector<Code*>& all_code();

// ---- a block that runs -------------------------------------------------------------------------------------------------
struct Copy {  // a cp.async of a warp that has not been waited for
  uint32_t mask;
  int size;
  uint32_t op;
  uint32_t group[32], to[32];
  uint8_t data[32][16];
};

struct Multiply {  // a wgmma of a warp that has not been waited for
  uint64_t a, b;
  uint32_t list;  // of accumulators
  int n;
  bool accumulate, transposed_a, transposed_b;
  bool committed;
  uint32_t group, op;
  std::vector<uint16_t> rows, columns;  // its operands when it was issued
};

struct Block;
struct Warp {
  uint8_t* registers = nullptr;
  std::vector<uint32_t> known;  // of each register, the lanes in which it has a value
  uint32_t m = 0;               // the lanes that execute the instruction
  Block* block = nullptr;
  Code* code = nullptr;
  int index = 0;
  uint32_t exists = 0, exited = 0, blocked = 0;
  uint32_t pc[32];
  bool at_barrier = false;
  uint32_t barrier = 0;
  bool waiting = false;  // the instruction waits for something that is not there yet
  uint32_t synced = 0;   // how often its lanes have waited for each other
  uint32_t arrived = 0;  // lanes that have arrived at an mbarrier since the last barrier of the block

  uint32_t committed[32];  // groups of cp.async
  std::vector<Copy> copies;

  std::vector<Multiply> multiplies;
  uint32_t multiply_groups = 0;
  size_t multiplied = 0;
  struct Accumulators {
    std::vector<uint32_t> values, known;  // for each register 32 values, and the lanes that have one
  };
  std::map<uint32_t, Accumulators> accumulators;  // of products in flight, by the first one's place

  std::vector<uint32_t> fences[32];  // of the async proxy: the block's epoch at each of them

  bool done() const { return (exists & ~exited) == 0; }
};

struct Mbarrier {
  uint32_t expected = 0, pending = 0;
  int64_t bytes = 0;
  uint32_t phase = 0;
  uint16_t thread = 0;     // that initialised it,
  uint32_t fences = 0;     // when it had seen so many fences of the async proxy
  uint32_t epoch = 0;      // and the block so many barriers
};

struct Transfer {  // a copy of TMA on its way
  uint32_t barrier, op, bytes;
  unsigned delay;
  std::vector<std::pair<uint32_t, std::vector<uint8_t>>> pieces;  // address in shared memory, bytes
};

// Word is what is known of 4 bytes of shared memory.
constexpr uint16_t NO_THREAD = 0xffff, SEVERAL = 0xfffe;
struct Word {
  uint32_t writer_epoch = 0, reader_epoch = 0;
  uint32_t writer_synced = 0, reader_synced = 0;
  uint32_t proxy_fences = 0;                                               // of the writer before it wrote
  uint16_t writer = NO_THREAD, reader = NO_THREAD, proxy_writer = NO_THREAD;  // SEVERAL: readers of several warps
  uint8_t written = 0, arriving = 0;                                       // a bit for each byte; by a copy that was not waited for
};

struct Block {
  Code* code;
  dim3 grid, size, id;
  const uint8_t* params;
  std::vector<uint8_t> shared;
  uint32_t base, bytes;                     // of shared memory
  std::vector<Allocation> last_allocation;  // by instruction
  std::vector<Warp> warps;
  std::vector<Word> words;
  std::map<uint32_t, Mbarrier> mbarriers;
  std::vector<Transfer> transfers;
  std::vector<std::pair<uint64_t, uint64_t>> descriptors[8];  // of the products of a warpgroup
  std::map<uint64_t, bool> map_fences;                        // tensor maps in global memory that were fenced
  uint32_t epoch = 1;                                         // how many barriers the block has passed
  bool arrivals = false;                                      // some thread has arrived at an mbarrier since
  bool progress = false;
  int idle = 0;

  // With PTX_WEAK: what the block has written to global memory and only it sees as yet.
  struct Pending {
    uint8_t value;
    uint32_t thread, epoch;
  };
  std::unordered_map<uint64_t, Pending> pending;
  std::vector<std::pair<uint64_t, uint8_t>> late;  // of threads that have ended: seen when the kernel ends

  unsigned threads() const { return size.x * size.y * size.z; }
};

// ---- registers ---------------------------------------------------------------------------------------------------------
template <class To, class From> inline To bits(From v) {
  static_assert(sizeof(To) == sizeof(From), "the sizes are equal");
  To r;
  memcpy(&r, &v, sizeof r);
  return r;
}
// A value of less than 4 bytes lies in the low bits of 4.
template <class T> using Stored = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
template <class T> inline T get(Stored<T> s) {
  if constexpr (sizeof(T) < 4) return (T)s;
  else return bits<T>(s);
}
template <class T> inline Stored<T> put(T v) {
  if constexpr (sizeof(T) < 4) return (std::make_unsigned_t<T>)v;
  else return bits<Stored<T>>(v);
}
template <class T> inline Stored<T>* reg(Warp& w, uint32_t offset) { return (Stored<T>*)(w.registers + offset); }
inline uint32_t& predicate(Warp& w, uint32_t offset) { return *(uint32_t*)(w.registers + offset); }

template <class F> inline __attribute__((always_inline)) void lanes(uint32_t m, F f) {
  if (m == 0xffffffffu)
    for (int i = 0; i < 32; i++) f(i);
  else
    for (; m; m &= m - 1) f(__builtin_ctz(m));
}
// each is lanes for what is too long to be there twice.
template <class F> inline void each(uint32_t m, F f) {
  for (; m; m &= m - 1) f(__builtin_ctz(m));
}

// ---- errors.cpp --------------------------------------------------------------------------------------------------------
// fault says what a kernel did wrong, and where, and ends the process.
[[noreturn]] void fault(const Warp& w, const Op& o, int lane, const char* format, ...) __attribute__((format(printf, 4, 5)));
[[noreturn]] void fault(const Block& b, const char* format, ...) __attribute__((format(printf, 2, 3)));

// ---- addresses: global.cpp, shared.cpp ---------------------------------------------------------------------------------
// Generic addresses of shared memory and of parameters lie in windows of their own.
constexpr uint64_t shared_window = 0x0100000000000000ull, param_window = 0x0200000000000000ull, window_bytes = 1 << 24;
inline bool in_window(uint64_t a, uint64_t window) { return a - window < window_bytes; }

inline uint64_t address64(Warp& w, const Op& o, int i) { return reg<uint64_t>(w, o.a)[i] + (uint64_t)o.offset; }
inline uint32_t address32(Warp& w, const Op& o, int i) {
  return (o.wide_address ? (uint32_t)reg<uint64_t>(w, o.a)[i] : reg<uint32_t>(w, o.a)[i]) + (uint32_t)o.offset;
}

// global checks that an access lies in an allocation and is aligned. align is a power of two.
uint8_t* global(Warp& w, const Op& o, int lane, uint64_t a, uint32_t bytes, uint32_t align, Allocation** allocation = nullptr);
// read_global copies bytes as the thread sees them, and checks that they have been written;
// write_global writes them.
void read_global(Warp& w, const Op& o, int lane, uint64_t a, uint8_t* to, uint32_t bytes, uint32_t align);
void write_global(Warp& w, const Op& o, int lane, uint64_t a, const uint8_t* from, uint32_t bytes);
// publish makes visible to all what the given lanes wrote, and what their block wrote before the
// last barrier.
void publish(Warp& w, uint32_t lanes);

const uint8_t* param(Warp& w, const Op& o, int lane, uint64_t offset, uint32_t bytes, uint32_t align);

uint8_t* shared(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes, uint32_t align);
// note_read and note_write look for races. note_read says whether all the bytes have been written;
// note_write is told whether what is written has a value.
bool note_read(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes);
void note_write(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes, bool known = true);
// note_copy is a write that has begun: the bytes cannot be read until note_arrival.
void note_copy(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes);
void note_arrival(Block& b, uint32_t a, uint32_t bytes);
// check_proxy checks that an access of the async proxy comes after generic ones, with a fence and a
// barrier between.
void check_proxy(Warp& w, const Op& o, int lane, const Word& k, uint32_t a, const char* what);
bool fenced(Block& b, int thread, uint32_t fences, int reader_warp);

// ---- the parts that the scheduler calls -------------------------------------------------------------------------------
void end_lanes(Warp& w, const Op& o, uint32_t lanes);  // copy.cpp: these lanes end

}  // namespace ptx
