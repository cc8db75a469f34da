// parse.h: PTX text, taken apart. The parser knows the grammar, not what an instruction means.
#pragma once
#include <stdint.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace ptx {

// Error is what is wrong with a module: it cannot be loaded.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Type : uint8_t { none, pred, b8, u8, s8, b16, u16, s16, f16, bf16, b32, u32, s32, f32, tf32, b64, u64, s64, f64 };
int size_of(Type t);                       // in bytes; 0 of pred and none
Type type_named(const std::string& name);  // none: it is not a type

struct Operand {
  enum Kind { none, reg, imm, symbol, address, vector, sink } kind = none;
  int reg_index = -1;         // reg: the register; address: its base, if that is a register
  int second = -1;            // reg: the predicate of d|p
  uint64_t value = 0;         // imm; of a float its bits
  int float_bits = 0;         // imm: 32 of 0f..., 64 of 0d..., else 0
  std::string name;           // symbol; address: its base, if that is a variable
  int64_t offset = 0;         // of an address
  std::vector<Operand> list;  // vector; address: the coordinates of a tensor
};

struct Instruction {
  std::string op;                  // complete, such as add.s32
  std::vector<std::string> parts;  // split at dots
  std::vector<Operand> operands;
  int guard = -1;  // register of @p
  bool guard_negated = false;
  int line = 0;
  std::string text;
};

struct Variable {
  std::string name;
  uint32_t align = 1, size = 0;  // in bytes; size 0: extern
};

struct Entry {
  std::string name;
  std::vector<Variable> params, shared;
  std::vector<Type> registers;
  std::vector<std::string> register_names;
  std::vector<Instruction> code;
  std::map<std::string, int> labels;  // the instruction that follows
  unsigned max_threads = 1024;
};

struct Module {
  std::string target;
  std::vector<Variable> shared;  // of the module
  std::vector<std::unique_ptr<Entry>> entries;
};

// parse throws Error.
std::unique_ptr<Module> parse(const std::string& text);

}  // namespace ptx
