#include <toml++/toml.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/toml_depth.h"
#include "core/data/prompt_template.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

std::string place(const std::string& path, const toml::node& node) {
  return path + ":" + std::to_string(node.source().begin.line);
}

void check_keys(const toml::table& table, const std::vector<std::string>& known,
                const std::string& path) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      bad_template(place(path, node), "unknown key \"" + name + "\"" + did_you_mean(name, known));
    }
  }
}

std::string text_at(const toml::table& table, const char* key, const std::string& path,
                    bool required) {
  const toml::node* node = table.get(key);
  if (node == nullptr) {
    if (required) bad_template(place(path, table), std::string("key \"") + key + "\" is missing");
    return "";
  }
  if (!node->is_string())
    bad_template(place(path, *node), std::string("key \"") + key + "\" is not text");
  return node->as_string()->get();
}

std::map<std::string, std::string> words_at(const toml::table& table, const std::string& path) {
  std::map<std::string, std::string> words;
  const toml::node* node = table.get("words");
  if (node == nullptr) return words;
  if (!node->is_table()) bad_template(place(path, *node), "key \"words\" is not a table");
  for (const auto& [key, value] : *node->as_table()) {
    if (!value.is_string()) bad_template(place(path, value), "a word is not text");
    words[std::string(key.str())] = value.as_string()->get();
  }
  return words;
}

std::optional<NumberScale> numbers_at(const toml::table& table, const std::string& path) {
  const toml::node* node = table.get("numbers");
  if (node == nullptr) return std::nullopt;
  const auto fail = [&] {
    bad_template(place(path, *node), "key \"numbers\" is not { from = …, to = …, step = … }");
  };
  if (!node->is_table()) fail();
  check_keys(*node->as_table(), {"from", "to", "step"}, path);
  const auto number = [&](const char* key) {
    const toml::node* value = node->as_table()->get(key);
    if (value == nullptr || !value->is_number()) fail();
    return value->value<double>().value();
  };
  return NumberScale{number("from"), number("to"), number("step")};
}

// The example's fields: text, or a list of text.
Json example_at(const toml::table& table, const std::string& path) {
  Json example = Json::object();
  const toml::node* node = table.get("example");
  if (node == nullptr) return example;
  if (!node->is_table())
    bad_template(place(path, *node), "key \"example\" is not a table of fields");
  for (const auto& [key, value] : *node->as_table()) {
    const std::string name(key.str());
    if (value.is_string()) {
      example[name] = value.as_string()->get();
    } else if (value.is_array()) {
      example[name] = Json::array();
      for (const toml::node& item : *value.as_array()) {
        if (!item.is_string()) bad_template(place(path, item), "a list item is not text");
        example[name].push_back(item.as_string()->get());
      }
    } else {
      bad_template(place(path, value), "an example's field is neither text nor a list");
    }
  }
  return example;
}

TemplateSpec template_at(const toml::node& node,
                         const std::map<std::string, std::string>& common_words,
                         const std::string& path) {
  if (!node.is_table()) bad_template(place(path, node), "a template is not a table");
  const toml::table& table = *node.as_table();
  check_keys(table, {"name", "input", "target", "words", "numbers"}, path);
  TemplateSpec spec;
  spec.name = text_at(table, "name", path, true);
  spec.input = text_at(table, "input", path, true);
  spec.target = text_at(table, "target", path, false);
  spec.words = table.contains("words") ? words_at(table, path) : common_words;
  spec.numbers = numbers_at(table, path);
  return spec;
}

}  // namespace

namespace {

// Mustache text of an input field's value.
std::string value_text(const std::string& field) {
  return field == "choices" ? "{{#choices}}({{letter}}) {{text}} {{/choices}}"
                            : "{{" + field + "}}";
}

}  // namespace

TemplateSpec plain_template(const Task& task) {
  TemplateSpec spec;
  spec.name = "plain";
  for (const std::string& field : task.inputs) {
    if (!spec.input.empty()) spec.input += "\n";
    spec.input += task.inputs.size() == 1 ? value_text(field) : field + ": " + value_text(field);
  }
  return spec;
}

TemplateSpec values_template(const Task& task) {
  TemplateSpec spec;
  spec.name = "values";
  for (const std::string& field : task.inputs) {
    if (!spec.input.empty()) spec.input += "{{sep}}";
    spec.input += value_text(field);
  }
  return spec;
}

PromptLibrary::File PromptLibrary::read_file(const fs::path& path) {
  File file;
  file.path = path.string();
  toml::table table;
  try {
    table = parse_guarded_toml(trivium::read_file(path), file.path);
  } catch (const toml::parse_error& e) {
    bad_template(file.path + ":" + std::to_string(e.source().begin.line),
                 std::string(e.description()));
  }
  check_keys(table, {"description", "example", "words", "template"}, file.path);
  file.description = text_at(table, "description", file.path, true);
  file.example = example_at(table, file.path);
  const toml::array* templates = table.get_as<toml::array>("template");
  if (templates == nullptr || templates->empty())
    bad_template(file.path, "there is no [[template]]");
  for (const toml::node& node : *templates) {
    TemplateSpec spec = template_at(node, words_at(table, file.path), file.path);
    for (const TemplateSpec& earlier : file.templates) {
      if (earlier.name == spec.name)
        bad_template(place(file.path, node), "a second template \"" + spec.name + "\"");
    }
    file.templates.push_back(std::move(spec));
  }
  return file;
}

PromptLibrary::PromptLibrary(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput, "there is no prompts folder " + folder.string());
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    files_[entry.path().stem().string()] = read_file(entry.path());
  }
}

std::vector<std::shared_ptr<const PromptTemplate>> PromptLibrary::templates_of(
    const Task& task) const {
  const auto found = files_.find(task.name);
  if (found == files_.end()) {
    return {std::make_shared<PromptTemplate>(plain_template(task), task, "task " + task.name)};
  }
  const File& file = found->second;
  std::vector<std::shared_ptr<const PromptTemplate>> templates;
  for (const TemplateSpec& spec : file.templates) {
    const std::string where = file.path + ": template \"" + spec.name + "\"";
    templates.push_back(std::make_shared<PromptTemplate>(spec, task, where));
  }
  return templates;
}

std::vector<std::string> PromptLibrary::task_names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

std::string PromptLibrary::description_of(const std::string& task) const {
  const auto found = files_.find(task);
  return found == files_.end() ? "" : found->second.description;
}

Json PromptLibrary::example_of(const std::string& task) const {
  const auto found = files_.find(task);
  return found == files_.end() ? Json::object() : found->second.example;
}

}  // namespace trivium
