// forms.h: the table of instruction forms. Each family of instructions has a file, and each file
// puts its forms into the table, by their complete names.
#pragma once
#include <initializer_list>

#include "machine.h"

namespace ptx {

// Decoder turns the operands of an instruction into places in the register file.
struct Decoder {
  const Module& module;
  const Entry& entry;
  Code* code;
  const Instruction* in = nullptr;
  Op* op = nullptr;
  std::vector<uint32_t> offsets;  // of registers
  std::map<std::pair<uint64_t, int>, uint32_t> constants;
  std::vector<uint32_t> reads, writes;  // registers of the instruction

  [[noreturn]] void fail(const std::string& why) const;
  const Operand& operand(size_t i) const { return in->operands[i]; }
  void want(size_t operands) const;  // checks their number

  uint32_t destination(const Operand& o, Type t);
  uint32_t source(const Operand& o, Type t);
  uint32_t optional(const Operand& o, Type t);  // a destination, or _
  // list puts the offsets of a vector's elements into the code's lists; count is what its length
  // must be.
  uint32_t list(const Operand& o, Type t, bool is_destination, size_t count);
  uint32_t names(const Operand& o);  // the registers of a vector, as Op::names has them
  uint32_t immediate(const Operand& o, uint32_t most) const;
  uint32_t constant(uint64_t value, int bytes);
  struct Address {
    uint32_t offset;
    int64_t add;
    bool wide;
  };
  Address address(const Operand& o, bool shared);
  // base is address for the operand that most instructions have, in o.a.
  void base(const Operand& o, bool shared);

  uint32_t take(uint32_t bytes);
  void run();
};

// Form says how an instruction is decoded. Most have a destination and sources of known types; the
// others have a function.
struct Form {
  Handler execute = nullptr;
  Type d = Type::none;
  std::vector<Type> sources;
  void (*decode)(Decoder& d, const Form& f) = nullptr;
  Kind kind = PLAIN;
  Unwritten unwritten = FAULT;
  bool aligned = false;
  int mode = 0, count = 0, size = 0;  // what the family makes of them
};

struct Forms {
  std::map<std::string, Form> all;
  void add(const std::string& name, Form f);
  // plain is for an instruction of a destination and sources.
  void plain(const std::string& name, Handler execute, Type d, std::initializer_list<Type> sources, Unwritten unwritten = PASS_ON);
  void special(const std::string& name, void (*decode)(Decoder&, const Form&), Handler execute, Kind kind = PLAIN, bool aligned = false, int mode = 0, int count = 0,
               int size = 0);
};
const Forms& forms();

void add_integer_forms(Forms&);
void add_float_forms(Forms&);
void add_conversion_forms(Forms&);
void add_predicate_forms(Forms&);
void add_move_forms(Forms&);
void add_control_forms(Forms&);
void add_memory_forms(Forms&);
void add_copy_forms(Forms&);
void add_warp_forms(Forms&);
void add_matrix_forms(Forms&);
void add_wgmma_forms(Forms&);
void add_mbarrier_forms(Forms&);
void add_tma_forms(Forms&);

}  // namespace ptx
