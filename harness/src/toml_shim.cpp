// toml++ behind the C interface of toml.h; the only file of the harness that sees toml++.
//
// The macros below are the configuration that survived fuzzing: no exceptions, assertions off
// (one fires on the text "[\n", which the parser then reports properly), and values nested at most
// 16 deep, so that neither the parser nor its destructors can exhaust the stack.
#include "src/toml.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(x) static_assert(true)
#define TOML_MAX_NESTED_VALUES 16
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

char *copy_text(std::string_view text) {
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (copy != nullptr) {
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
  }
  return copy;
}

bool before(const bench_toml &a, const bench_toml &b) {
  return a.key_line != b.key_line ? a.key_line < b.key_line : a.key_column < b.key_column;
}

bool convert(const toml::node &from, int origin, bench_toml *to);

// Room for `count` children; their number grows as they are filled in, so that a half-made tree
// can be freed.
bool make_room(bench_toml *node, size_t count) {
  node->item = static_cast<bench_toml *>(std::calloc(count == 0 ? 1 : count, sizeof(bench_toml)));
  return node->item != nullptr;
}

bool convert_table(const toml::table &from, int origin, bench_toml *to) {
  to->kind = BENCH_TOML_TABLE;
  if (!make_room(to, from.size())) {
    return false;
  }
  for (const auto &[key, value] : from) {
    bench_toml *child = &to->item[to->count++];
    child->key_line = static_cast<int>(key.source().begin.line);
    child->key_column = static_cast<int>(key.source().begin.column);
    child->key = copy_text(key.str());
    child->key_bytes = key.str().size();
    if (child->key == nullptr || !convert(value, origin, child)) {
      return false;
    }
  }
  std::sort(to->item, to->item + to->count, before);  // toml++ keeps keys in alphabetical order
  return true;
}

bool convert_list(const toml::array &from, int origin, bench_toml *to) {
  to->kind = BENCH_TOML_LIST;
  if (!make_room(to, from.size())) {
    return false;
  }
  for (const toml::node &value : from) {
    if (!convert(value, origin, &to->item[to->count++])) {
      return false;
    }
  }
  return true;
}

bool convert(const toml::node &from, int origin, bench_toml *to) {
  to->origin = origin;
  to->line = static_cast<int>(from.source().begin.line);
  to->column = static_cast<int>(from.source().begin.column);
  switch (from.type()) {
    case toml::node_type::table:
      return convert_table(*from.as_table(), origin, to);
    case toml::node_type::array:
      return convert_list(*from.as_array(), origin, to);
    case toml::node_type::string:
      to->kind = BENCH_TOML_STRING;
      to->string = copy_text(from.as_string()->get());
      to->string_bytes = from.as_string()->get().size();
      return to->string != nullptr;
    case toml::node_type::integer:
      to->kind = BENCH_TOML_INTEGER;
      to->integer = from.as_integer()->get();
      to->number = static_cast<double>(to->integer);
      return true;
    case toml::node_type::floating_point:
      to->kind = BENCH_TOML_NUMBER;
      to->number = from.as_floating_point()->get();
      return true;
    case toml::node_type::boolean:
      to->kind = BENCH_TOML_BOOLEAN;
      to->integer = from.as_boolean()->get() ? 1 : 0;
      return true;
    default:
      to->kind = BENCH_TOML_DATE;
      return true;
  }
}

}  // namespace

extern "C" bench_code bench_toml_parse(const char *text, size_t bytes, int origin, bench_toml *root,
                                       bench_toml_fault *fault) {
  *root = bench_toml{};
  toml::parse_result result = toml::parse(std::string_view(text, bytes));
  if (!result) {
    const toml::parse_error &error = result.error();
    std::string_view message = error.description();
    size_t length = std::min(message.size(), sizeof fault->message - 1);
    std::memcpy(fault->message, message.data(), length);
    fault->message[length] = '\0';
    fault->line = static_cast<int>(error.source().begin.line);
    fault->column = static_cast<int>(error.source().begin.column);
    return BENCH_ERR_USAGE;
  }
  if (!convert(result.table(), origin, root)) {
    bench_toml_free(root);
    return BENCH_ERR_NOMEM;
  }
  return BENCH_OK;
}

extern "C" void bench_toml_free(bench_toml *root) {
  for (size_t i = 0; i < root->count; i++) {
    bench_toml_free(&root->item[i]);
  }
  std::free(root->item);
  std::free(root->string);
  std::free(root->key);
  *root = bench_toml{};
}
