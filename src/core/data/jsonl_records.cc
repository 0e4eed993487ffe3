#include "core/data/jsonl_records.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace trivium {
namespace {

// Records hold text only, so that templates, metrics and options compare like with like. Nothing
// where `value` cannot be text.
std::optional<Json> as_text(const Json& value) {
  if (value.is_string()) return value;
  if (value.is_number()) return value.dump();
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (value.is_array() && std::all_of(value.begin(), value.end(), is_text)) return value;
  return std::nullopt;
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
  LineReader reader(stream, path.string());
  size_t count = 0;
  while (limit == 0 || count < limit) {
    const std::optional<LineReader::Line> line = reader.next();
    if (!line) return;
    const std::string where = reader.place(*line);
    if (line->truncated) bad_data(where, "the line is longer than 1 MiB");
    if (trim(line->text).empty()) bad_data(where, "the line is empty");
    if (!is_valid_utf8(line->text)) bad_data(where, "the line is not valid UTF-8");
    handle(line->text, where);
    ++count;
  }
}

void bad_data(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadData, where + ": " + what);
}

void require_text(Record& record, const std::string& field) {
  if (!record.fields.contains(field)) bad_data(record.where, "field \"" + field + "\" is missing");
  Json& value = record.fields[field];
  const std::optional<Json> text = as_text(value);
  if (!text) {
    bad_data(record.where, "field \"" + field + "\" " +
                               (value.is_array() ? "has a list item that is not text"
                                                 : "is neither text, a number nor a list"));
  }
  value = *text;
}

std::vector<Record> read_jsonl_records(const std::filesystem::path& path,
                                       const std::vector<std::string>& used, size_t limit) {
  std::vector<Record> records;
  for_each_line(path, limit, [&](const std::string& text, const std::string& where) {
    Record record{parse_json(text, where), where};
    if (!record.fields.is_object()) bad_data(where, "the line is not a JSON object");
    for (auto& [name, value] : record.fields.items()) {
      if (const std::optional<Json> as = as_text(value)) value = *as;
    }
    for (const std::string& field : used) require_text(record, field);
    records.push_back(std::move(record));
  });
  return records;
}

void check_target(const Task& task, const Record& record) {
  const Json& value = record.fields.at(task.target);
  if (!value.is_string())
    bad_data(record.where, "target \"" + task.target + "\" is a list, not text");
  const std::string target = value.get<std::string>();
  if (trim(target).empty()) bad_data(record.where, "target \"" + task.target + "\" is empty");
  if (!task.labels.empty()) {
    if (std::find(task.labels.begin(), task.labels.end(), target) == task.labels.end()) {
      bad_data(record.where, "target \"" + target + "\" is not a label of " + task.name);
    }
  } else if (record.fields.contains("choices")) {
    const Json& choices = record.fields.at("choices");
    if (!choices.is_array()) bad_data(record.where, "field \"choices\" is not a list");
    if (!contains(choices, target))
      bad_data(record.where, "target \"" + target + "\" is not a choice");
  }
  if (!task.accepted.empty() && !record.fields.at(task.accepted).is_array()) {
    bad_data(record.where, "field \"" + task.accepted + "\" is not a list");
  }
}

}  // namespace trivium
