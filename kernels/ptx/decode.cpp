// decode.cpp: from instructions to what the machine executes.
//
// Registers and constants lie in one file, 32 values for each, so that an operand is an offset
// whatever it is.
#include <set>

#include "forms.h"

namespace ptx {

void Forms::add(const std::string& name, Form f) {
  if (!all.emplace(name, std::move(f)).second) throw Error("form " + name + " is in the table twice");
}
void Forms::plain(const std::string& name, Handler execute, Type d, std::initializer_list<Type> sources, Unwritten unwritten) {
  Form f;
  f.unwritten = unwritten;
  f.execute = execute;
  f.d = d;
  f.sources = sources;
  add(name, f);
}
void Forms::special(const std::string& name, void (*decode)(Decoder&, const Form&), Handler execute, Kind kind, bool aligned, int mode, int count, int size) {
  Form f;
  f.execute = execute;
  f.decode = decode;
  f.kind = kind;
  f.aligned = aligned;
  f.mode = mode;
  f.count = count;
  f.size = size;
  add(name, f);
}

const Forms& forms() {
  static const Forms* const all = [] {
    auto* f = new Forms;
    for (const auto add : {add_integer_forms, add_float_forms, add_conversion_forms, add_predicate_forms, add_move_forms, add_control_forms, add_memory_forms,
                           add_copy_forms, add_warp_forms, add_matrix_forms, add_wgmma_forms, add_mbarrier_forms, add_tma_forms})
      add(*f);
    return f;
  }();
  return *all;
}

void Decoder::fail(const std::string& why) const {
  throw Error("kernel " + entry.name + (in ? ", line " + std::to_string(in->line) + ": " + in->text : "") + ": " + why);
}
void Decoder::want(size_t n) const {
  if (in->operands.size() != n) fail("expected " + std::to_string(n) + " operands");
}

uint32_t Decoder::take(uint32_t bytes) {
  const uint32_t at = (code->register_bytes + 63) & ~63u;
  code->register_bytes = at + bytes;
  return at;
}
uint32_t Decoder::constant(uint64_t value, int bytes) {
  const auto [f, fresh] = constants.insert({{value, bytes}, 0});
  if (fresh) {
    f->second = take(bytes ? 32 * (uint32_t)bytes : 4);
    code->constants.push_back({f->second, value, bytes});
  }
  return f->second;
}

// A register has exactly the size that the instruction gives the operand.
static bool fits(Type have, Type want) { return (have == Type::pred) == (want == Type::pred) && size_of(have) == size_of(want); }

uint32_t Decoder::destination(const Operand& o, Type t) {
  if (o.kind != Operand::reg) fail("the destination is no register");
  if (!fits(entry.registers[(size_t)o.reg_index], t)) fail("register " + entry.register_names[(size_t)o.reg_index] + " has another size than the instruction");
  writes.push_back((uint32_t)o.reg_index);
  return offsets[(size_t)o.reg_index];
}
uint32_t Decoder::optional(const Operand& o, Type t) { return o.kind == Operand::sink ? NOTHING : destination(o, t); }

uint32_t Decoder::source(const Operand& o, Type t) {
  const int size = size_of(t);
  if (o.kind == Operand::reg) {
    if (o.second >= 0) fail("two registers where there is one");
    if (!fits(entry.registers[(size_t)o.reg_index], t)) fail("register " + entry.register_names[(size_t)o.reg_index] + " has another size than the instruction");
    reads.push_back((uint32_t)o.reg_index);
    return offsets[(size_t)o.reg_index];
  }
  if (o.kind == Operand::imm) {
    if (t == Type::pred) return constant(o.value ? ~0u : 0, 0);
    const bool is_float = t == Type::f32 || t == Type::f64, is_bits = t == Type::b32 || t == Type::b64;
    if (is_float ? o.float_bits != 8 * size : o.float_bits && !is_bits) fail("an immediate of another type");
    return constant(size == 8 ? o.value : o.value & ((1ull << 8 * size) - 1), size == 8 ? 8 : 4);
  }
  if (o.kind != Operand::symbol) fail("unknown kind of operand");
  static const std::set<std::string> specials = {"%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z",
                                                 "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid"};
  if (specials.count(o.name)) {
    if (size != 4) fail("special registers have 32 bits");
    const auto [f, fresh] = code->specials.insert({o.name, 0});
    if (fresh) f->second = take(128);
    return f->second;
  }
  const auto f = code->symbols.find(o.name);
  if (f == code->symbols.end()) fail("unknown name " + o.name);
  return constant(f->second, size == 8 ? 8 : 4);
}

uint32_t Decoder::list(const Operand& o, Type t, bool is_destination, size_t count) {
  std::vector<uint32_t> l;
  const auto one = [&](const Operand& x) { l.push_back(is_destination ? optional(x, t) : source(x, t)); };
  if (o.kind == Operand::vector)
    for (const Operand& x : o.list) one(x);
  else
    one(o);
  if (l.size() != count) fail("a vector of another length");
  const uint32_t at = (uint32_t)code->lists.size();
  code->lists.insert(code->lists.end(), l.begin(), l.end());
  return at;
}

uint32_t Decoder::names(const Operand& o) {
  const uint32_t at = (uint32_t)code->lists.size();
  const auto one = [&](const Operand& x) { code->lists.push_back(x.kind == Operand::reg ? (uint32_t)x.reg_index : NOTHING); };
  if (o.kind == Operand::vector)
    for (const Operand& x : o.list) one(x);
  else
    one(o);
  return at;
}

uint32_t Decoder::immediate(const Operand& o, uint32_t most) const {
  if (o.kind != Operand::imm || o.float_bits) fail("an operand is no immediate");
  if (o.value > most) fail("an immediate is out of range");
  return (uint32_t)o.value;
}

Decoder::Address Decoder::address(const Operand& o, bool shared) {
  if (o.kind != Operand::address) fail("expected an address");
  if (o.reg_index >= 0) {
    const int size = size_of(entry.registers[(size_t)o.reg_index]);
    if (size != 8 && !(shared && size == 4)) fail("the address register has another size");
    reads.push_back((uint32_t)o.reg_index);
    return {offsets[(size_t)o.reg_index], o.offset, size == 8};
  }
  const auto f = code->symbols.find(o.name);
  if (f == code->symbols.end()) fail("unknown name " + o.name);
  return {constant((uint64_t)(f->second + o.offset), 8), 0, true};
}
void Decoder::base(const Operand& o, bool shared) {
  if (!o.list.empty()) fail("coordinates where there are none");
  const Address a = address(o, shared);
  op->a = a.offset;
  op->offset = a.add;
  op->wide_address = a.wide;
}

// layout places parameters and variables.
static void layout(Decoder& d) {
  Code* c = d.code;
  if (d.entry.params.size() != 1) d.fail("a kernel takes one struct");
  c->symbols[d.entry.params[0].name] = 0;
  c->param_size = d.entry.params[0].size;
  c->param_align = d.entry.params[0].align;
  std::set<std::string> used;
  for (const Instruction& i : d.entry.code)
    for (const Operand& o : i.operands)
      if (!o.name.empty()) used.insert(o.name);
  uint32_t at = settings().shared_base;
  const auto place = [&](const Variable& v) {
    at = (at + v.align - 1) / v.align * v.align;
    c->symbols[v.name] = at;
    at += v.size;
  };
  for (const Variable& v : d.entry.shared) place(v);
  for (const Variable& v : d.module.shared)
    if (v.size && used.count(v.name)) place(v);
  c->static_shared = at - settings().shared_base;
  for (const Variable& v : d.module.shared)
    if (!v.size && used.count(v.name)) place(v);  // dynamic shared memory comes after all that is static
  c->dynamic_shared = at;
}

void Decoder::run() {
  layout(*this);
  for (const Type t : entry.registers) offsets.push_back(take(t == Type::pred ? 4 : size_of(t) == 8 ? 256 : 128));
  const auto record = [&](const std::vector<uint32_t>& registers) {
    const uint32_t at = (uint32_t)code->lists.size();
    code->lists.push_back((uint32_t)registers.size());
    code->lists.insert(code->lists.end(), registers.begin(), registers.end());
    return at;
  };
  for (const Instruction& i : entry.code) {
    in = &i;
    reads.clear();
    writes.clear();
    Op o;
    op = &o;
    o.index = (uint32_t)code->ops.size();
    if (i.guard >= 0) {
      o.guard = offsets[(size_t)i.guard];
      o.guard_register = (uint32_t)i.guard;
      o.guard_negated = i.guard_negated;
    }
    const auto f = forms().all.find(i.op);
    if (f == forms().all.end()) fail("the machine does not know this instruction");
    o.execute = f->second.execute;
    o.kind = f->second.kind;
    o.aligned = f->second.aligned;
    o.unwritten = f->second.unwritten;
    o.mode = (uint8_t)f->second.mode;
    if (f->second.decode) {
      f->second.decode(*this, f->second);
    } else {
      want(f->second.sources.size() + 1);
      uint32_t* const places[] = {&o.a, &o.b, &o.c, &o.e};
      for (size_t s = 0; s < f->second.sources.size(); s++) *places[s] = source(operand(s + 1), f->second.sources[s]);
      if (operand(0).second >= 0) fail("two destinations where there is one");
      o.d = destination(operand(0), f->second.d);
      if (o.unwritten == PASS_ON_CHOSEN) {
        Operand sources;
        sources.kind = Operand::vector;
        sources.list = {operand(1), operand(2), operand(3)};
        o.names = names(sources);
      }
    }
    o.reads = record(reads);
    o.writes = record(writes);
    code->ops.push_back(o);
  }
  in = nullptr;
  Op end;  // at the end of its code a thread ends
  end.kind = EXIT;
  end.index = (uint32_t)code->ops.size();
  end.reads = end.writes = record({});
  code->ops.push_back(end);
  code->counts.assign(code->ops.size(), 0);
}

Code* decode(const Module& m, const Entry& e, const std::string& file) {
  auto c = std::make_unique<Code>();
  c->name = e.name.c_str();
  c->max_threads = e.max_threads;
  c->call = nullptr;
  c->next = nullptr;
  c->entry = &e;
  c->file = file;
  Decoder d{m, e, c.get(), nullptr, nullptr, {}, {}, {}, {}};
  d.run();
  check_flow(*c);
  return c.release();
}

}  // namespace ptx
