#include "research/studies/plan_table.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/toml_depth.h"

namespace trivium::research {
namespace {

[[noreturn]] void fail_at(const std::string& file, const toml::node& node,
                          const std::string& what) {
  throw Error(ExitCode::kConfig,
              file + ":" + std::to_string(node.source().begin.line) + ": " + what);
}

}  // namespace

toml::table parse_plan_file(const std::filesystem::path& file) {
  try {
    return parse_guarded_toml(read_file(file), file.string());
  } catch (const toml::parse_error& e) {
    throw Error(ExitCode::kConfig, file.string() + ":" + std::to_string(e.source().begin.line) +
                                       ": " + std::string(e.description()));
  }
}

void PlanTable::allow_only(const std::vector<std::string>& keys) const {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::find(keys.begin(), keys.end(), name) == keys.end()) {
      fail_at(file_, node, "unknown key \"" + name + "\"" + did_you_mean(name, keys));
    }
  }
}

std::vector<std::string> PlanTable::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, node] : table_) names.emplace_back(key.str());
  return names;
}

const toml::node& PlanTable::required(const std::string& key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) fail(key, "the key is missing");
  return *node;
}

std::string PlanTable::text(const std::string& key) const {
  const toml::node& node = required(key);
  if (!node.is_string()) fail(key, "must be a string");
  const std::string& text = node.as_string()->get();
  if (text.empty()) fail(key, "must not be empty");
  return text;
}

bool PlanTable::flag(const std::string& key) const {
  const toml::node& node = required(key);
  if (!node.is_boolean()) fail(key, "must be true or false");
  return node.as_boolean()->get();
}

PlanTable PlanTable::table(const std::string& key) const {
  const toml::node& node = required(key);
  if (!node.is_table()) fail(key, "must be a table");
  return {*node.as_table(), file_};
}

std::string PlanTable::text_or_empty(const std::string& key) const {
  return table_.contains(key) ? text(key) : "";
}

std::optional<int64_t> PlanTable::integer(const std::string& key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_integer()) fail(key, "must be an integer");
  return node->as_integer()->get();
}

std::vector<std::string> PlanTable::texts(const std::string& key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return {};
  if (!node->is_array()) fail(key, "must be a list of strings");
  std::vector<std::string> texts;
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) fail(key, "must be a list of strings");
    texts.push_back(item.as_string()->get());
  }
  return texts;
}

std::vector<std::string> PlanTable::overrides(const std::string& key) const {
  std::vector<std::string> overrides = texts(key);
  for (const std::string& text : overrides) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(key, "\"" + text + "\" is not \"KEY=VALUE\"");
    }
  }
  return overrides;
}

std::map<std::string, double> PlanTable::numbers(const std::string& key) const {
  if (!table_.contains(key)) return {};
  const PlanTable inner = table(key);
  std::map<std::string, double> numbers;
  for (const auto& [name, node] : inner.table_) {
    const std::string text(name.str());
    if (!node.is_number()) inner.fail(text, "must be a number");
    numbers[text] = *node.value<double>();
  }
  return numbers;
}

std::vector<PlanTable> PlanTable::tables(const std::string& key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return {};
  if (!node->is_array()) fail(key, "must be a list of tables");
  std::vector<PlanTable> tables;
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_table()) fail_at(file_, item, key + " must be a list of tables");
    tables.push_back({*item.as_table(), file_});
  }
  return tables;
}

void PlanTable::fail(const std::string& key, const std::string& what) const {
  const toml::node* node = table_.get(key);
  fail_at(file_, node == nullptr ? table_ : *node, key + ": " + what);
}

void PlanTable::check_folder_name(const std::string& key, const std::string& name) const {
  if (!name.empty() && name.find('/') == std::string::npos && !name.starts_with('.')) return;
  fail(key, "\"" + name + "\" cannot be the name of a folder");
}

void PlanTable::check_known(const std::string& key, const std::string& name,
                            const std::vector<std::string>& known, const std::string& what) const {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  fail(key, "there is no " + what + " \"" + name + "\"" + name_hint(name, known));
}

}  // namespace trivium::research
