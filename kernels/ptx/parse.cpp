// parse.cpp: a scanner and a parser by recursive descent for the part of PTX's grammar that
// compilers write: kernels, registers in nested scopes, variables in shared memory, labels and
// instructions.
#include "parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

namespace ptx {

static const struct {
  const char* name;
  Type type;
  int size;
} types[] = {{"pred", Type::pred, 0}, {"b8", Type::b8, 1},   {"u8", Type::u8, 1},   {"s8", Type::s8, 1},   {"b16", Type::b16, 2},   {"u16", Type::u16, 2},
             {"s16", Type::s16, 2},   {"f16", Type::f16, 2}, {"bf16", Type::bf16, 2}, {"b32", Type::b32, 4}, {"u32", Type::u32, 4},   {"s32", Type::s32, 4},
             {"f32", Type::f32, 4},   {"tf32", Type::tf32, 4}, {"b64", Type::b64, 8}, {"u64", Type::u64, 8}, {"s64", Type::s64, 8},   {"f64", Type::f64, 8}};

int size_of(Type t) {
  for (const auto& e : types)
    if (e.type == t) return e.size;
  return 0;
}
Type type_named(const std::string& name) {
  for (const auto& e : types)
    if (name == e.name) return e.type;
  return Type::none;
}

namespace {

struct Token {
  std::string s;
  int line;
};

bool of_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.'; }

std::vector<Token> scan(const std::string& t) {
  std::vector<Token> out;
  int line = 1;
  for (size_t i = 0, n = t.size(); i < n;) {
    const size_t begin = i;
    if (t.compare(i, 2, "//") == 0) {
      i = std::min(t.find('\n', i), n);
    } else if (t.compare(i, 2, "/*") == 0) {
      const size_t end = t.find("*/", i + 2);
      if (end == std::string::npos) throw Error("line " + std::to_string(line) + ": a comment without end");
      i = end + 2;
    } else if (t[i] == '"') {
      const size_t end = t.find('"', i + 1);
      if (end == std::string::npos) throw Error("line " + std::to_string(line) + ": a string without end");
      i = end + 1;
      out.push_back({t.substr(begin, i - begin), line});
    } else if (isspace((unsigned char)t[i])) {
      i++;
    } else {
      i++;
      if (of_word(t[begin]))
        while (i < n && (of_word(t[i]) || t.compare(i, 2, "::") == 0)) i += t[i] == ':' ? 2 : 1;
      out.push_back({t.substr(begin, i - begin), line});
    }
    line += (int)std::count(t.begin() + (long)begin, t.begin() + (long)i, '\n');
  }
  return out;
}

struct Parser {
  std::vector<Token> t;
  size_t i = 0;
  Module* module = nullptr;
  Entry* entry = nullptr;
  std::vector<std::map<std::string, int>> scopes;

  [[noreturn]] void fail(const std::string& why) {
    throw Error("line " + std::to_string(i < t.size() ? t[i].line : 0) + ": " + why + " at '" + peek() + "'");
  }
  const std::string& peek(size_t ahead = 0) {
    static const std::string end = "the end";
    return i + ahead < t.size() ? t[i + ahead].s : end;
  }
  std::string next() {
    if (i >= t.size()) fail("the text ends too early");
    return t[i++].s;
  }
  bool accept(const char* s) {
    if (peek() != s) return false;
    i++;
    return true;
  }
  void expect(const char* s) {
    if (!accept(s)) fail(std::string("expected ") + s);
  }
  uint64_t integer() {
    const std::string s = next();
    char* end;
    const uint64_t v = strtoull(s.c_str(), &end, 0);
    if (!isdigit((unsigned char)s[0]) || (*end && strcmp(end, "U"))) fail("expected a number, not " + s);
    return v;
  }
  Type type() {
    const std::string s = next();
    const Type t = s[0] == '.' ? type_named(s.substr(1)) : Type::none;
    if (t == Type::none) fail("unknown type " + s);
    return t;
  }
  int find_register(const std::string& name) {
    for (size_t s = scopes.size(); s-- > 0;) {
      const auto f = scopes[s].find(name);
      if (f != scopes[s].end()) return f->second;
    }
    return -1;
  }

  // after .shared or .param: [.align n] .type name ['[' n ']']
  Variable variable() {
    Variable v;
    if (accept(".align")) v.align = (uint32_t)integer();
    const uint32_t size = (uint32_t)size_of(type());
    v.align = std::max(v.align, size);
    v.name = next();
    v.size = size;
    if (accept("[") && !accept("]")) {
      v.size = size * (uint32_t)integer();
      expect("]");
    } else if (t[i - 1].s == "]") {
      v.size = 0;
    }
    return v;
  }

  void immediate(Operand& o) {
    const std::string s = peek();
    o.kind = Operand::imm;
    const bool single = s.size() == 10 && (s.compare(0, 2, "0f") == 0 || s.compare(0, 2, "0F") == 0);
    const bool twice = s.size() == 18 && (s.compare(0, 2, "0d") == 0 || s.compare(0, 2, "0D") == 0);
    if (!single && !twice) {
      o.value = integer();
      return;
    }
    i++;
    o.value = strtoull(s.c_str() + 2, nullptr, 16);
    o.float_bits = single ? 32 : 64;
  }

  // [base], [base+offset], [base, {coordinates}]
  void address(Operand& o) {
    o.kind = Operand::address;
    const Operand base = operand();
    if (base.kind == Operand::reg) o.reg_index = base.reg_index;
    else if (base.kind == Operand::symbol) o.name = base.name;
    else fail("unknown kind of address");
    if (accept("+")) {
      const bool negative = accept("-");
      const int64_t v = (int64_t)integer();
      o.offset = negative ? -v : v;
    }
    if (accept(",")) {
      const Operand c = operand();
      if (c.kind != Operand::vector) fail("expected the coordinates of a tensor");
      o.list = c.list;
    }
    expect("]");
  }

  Operand operand() {
    Operand o;
    if (accept("{")) {
      o.kind = Operand::vector;
      do o.list.push_back(operand());
      while (accept(","));
      expect("}");
    } else if (accept("[")) {
      address(o);
    } else if (accept("-")) {
      immediate(o);
      if (o.float_bits) fail("a minus before a float");
      o.value = (uint64_t) - (int64_t)o.value;
    } else if (accept("_")) {
      o.kind = Operand::sink;
    } else if (isdigit((unsigned char)peek()[0])) {
      immediate(o);
    } else {
      const std::string s = next();
      o.reg_index = find_register(s);
      if (o.reg_index < 0) {
        o.kind = Operand::symbol;  // a variable, a label, or a special register
        o.name = s;
      } else {
        o.kind = Operand::reg;
        if (accept("|")) {
          const std::string p = next();
          o.second = find_register(p);
          if (o.second < 0) fail("unknown register " + p);
        }
      }
    }
    return o;
  }

  void declare_registers() {
    const Type type = this->type();
    const auto declare = [&](const std::string& name) {
      if (!scopes.back().emplace(name, (int)entry->registers.size()).second) fail("register " + name + " is there already");
      entry->registers.push_back(type);
      entry->register_names.push_back(name);
    };
    do {
      const std::string name = next();
      if (accept("<")) {
        const uint64_t n = integer();
        expect(">");
        for (uint64_t j = 0; j < n; j++) declare(name + std::to_string(j));
      } else {
        declare(name);
      }
    } while (accept(","));
    expect(";");
  }

  void instruction() {
    Instruction in;
    in.line = t[i].line;
    const size_t begin = i;
    if (accept("@")) {
      in.guard_negated = accept("!");
      in.guard = find_register(next());
      if (in.guard < 0 || entry->registers[(size_t)in.guard] != Type::pred) fail("the guard is no predicate");
    }
    in.op = next();
    for (size_t a = 0; a <= in.op.size();) {
      const size_t e = std::min(in.op.find('.', a), in.op.size());
      in.parts.push_back(in.op.substr(a, e - a));
      a = e + 1;
    }
    if (peek() != ";") do in.operands.push_back(operand());
      while (accept(","));
    expect(";");
    for (size_t j = begin; j + 1 < i; j++) in.text += t[j].s + (j + 2 < i && t[j + 1].s != "," && t[j].s != "[" && t[j + 1].s != "]" ? " " : "");
    entry->code.push_back(std::move(in));
  }

  void body() {
    expect("{");
    scopes.emplace_back();
    while (!scopes.empty()) {
      if (accept("{")) {
        scopes.emplace_back();
      } else if (accept("}")) {
        scopes.pop_back();
      } else if (accept(".reg")) {
        declare_registers();
      } else if (accept(".shared")) {
        entry->shared.push_back(variable());
        expect(";");
      } else if (accept(".pragma")) {
        while (next() != ";") continue;
      } else if (accept(";")) {
      } else if (peek()[0] == '.') {
        fail("unknown directive");
      } else if (peek(1) == ":") {
        if (!entry->labels.emplace(next(), (int)entry->code.size()).second) fail("the label is there already");
        expect(":");
      } else {
        instruction();
      }
    }
  }

  void kernel() {
    module->entries.push_back(std::make_unique<Entry>());
    entry = module->entries.back().get();
    entry->name = next();
    if (accept("(") && !accept(")")) {
      do {
        expect(".param");
        entry->params.push_back(variable());
      } while (accept(","));
      expect(")");
    }
    while (peek() != "{") {
      if (accept(".maxntid")) {
        entry->max_threads = (unsigned)integer();
        while (accept(",")) entry->max_threads *= (unsigned)integer();
      } else if (accept(".minnctapersm")) {
        integer();
      } else {
        fail("unknown directive");
      }
    }
    body();
  }

  void run() {
    while (i < t.size()) {
      if (accept(".version")) {
        next();
      } else if (accept(".target")) {
        module->target = next();
      } else if (accept(".address_size")) {
        if (integer() != 64) fail("addresses are not of 64 bits");
      } else if (accept(".extern") || accept(".visible")) {
      } else if (accept(".shared")) {
        module->shared.push_back(variable());
        expect(";");
      } else if (accept(".entry")) {
        kernel();
      } else {
        fail("unknown statement");
      }
    }
  }
};

}  // namespace

std::unique_ptr<Module> parse(const std::string& text) {
  auto m = std::make_unique<Module>();
  Parser p;
  p.t = scan(text);
  p.module = m.get();
  p.run();
  return m;
}

}  // namespace ptx
