#include "core/data/jsonl_records.h"

#include <algorithm>
#include <fstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace trivium {
namespace {

[[noreturn]] void bad(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadData, where + ": " + what);
}

// Records hold text only, so that templates, metrics and options compare like with like.
Json text_value(const std::string& name, const Json& value, const std::string& where) {
  if (value.is_string()) return value;
  if (value.is_number()) return value.dump();
  if (!value.is_array()) bad(where, "field \"" + name + "\" is neither text, a number nor a list");
  for (const Json& item : value) {
    if (!item.is_string()) bad(where, "field \"" + name + "\" has a list item that is not text");
  }
  return value;
}

bool contains(const Json& list, const std::string& text) {
  return std::any_of(list.begin(), list.end(), [&](const Json& item) { return item == text; });
}

}  // namespace

void for_each_line(const std::filesystem::path& path, size_t limit,
                   const std::function<void(const std::string&, const std::string&)>& handle) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(path)) {
    throw Error(ExitCode::kMissingInput, "cannot read " + path.string());
  }
  LineReader reader(stream);
  size_t count = 0;
  while (limit == 0 || count < limit) {
    const std::optional<LineReader::Line> line = reader.next();
    if (!line) return;
    const std::string where = path.string() + ":" + std::to_string(line->number);
    if (line->truncated) bad(where, "the line is longer than 1 MiB");
    if (trim(line->text).empty()) bad(where, "the line is empty");
    if (!is_valid_utf8(line->text)) bad(where, "the line is not valid UTF-8");
    handle(line->text, where);
    ++count;
  }
}

std::vector<Record> read_jsonl_records(const std::filesystem::path& path,
                                       const std::vector<std::string>& required, size_t limit) {
  std::vector<Record> records;
  for_each_line(path, limit, [&](const std::string& text, const std::string& where) {
    const Json object = parse_json(text, where);
    if (!object.is_object()) bad(where, "the line is not a JSON object");
    Record record{Json::object(), where};
    for (const auto& [name, value] : object.items()) {
      record.fields[name] = text_value(name, value, where);
    }
    for (const std::string& name : required) {
      if (!record.fields.contains(name)) bad(where, "field \"" + name + "\" is missing");
    }
    records.push_back(std::move(record));
  });
  return records;
}

void check_target(const Task& task, const Record& record) {
  const Json& value = record.fields.at(task.target);
  if (!value.is_string()) bad(record.where, "target \"" + task.target + "\" is a list, not text");
  const std::string target = value.get<std::string>();
  if (trim(target).empty()) bad(record.where, "target \"" + task.target + "\" is empty");
  if (!task.labels.empty()) {
    if (std::find(task.labels.begin(), task.labels.end(), target) == task.labels.end()) {
      bad(record.where, "target \"" + target + "\" is not a label of " + task.name);
    }
  } else if (record.fields.contains("choices")) {
    const Json& choices = record.fields.at("choices");
    if (!choices.is_array()) bad(record.where, "field \"choices\" is not a list");
    if (!contains(choices, target)) bad(record.where, "target \"" + target + "\" is not a choice");
  }
  if (!task.accepted.empty() && !record.fields.at(task.accepted).is_array()) {
    bad(record.where, "field \"" + task.accepted + "\" is not a list");
  }
}

}  // namespace trivium
