// Strict reading of line files of untrusted records.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/data/task.h"

namespace trivium {

// Calls `handle(text, where)` for every line, `where` being "file:line". An empty, over-long (1
// MiB) or ill-encoded line is an Error (kBadData). `limit` > 0 stops after so many lines.
void for_each_line(
    const std::filesystem::path& path, size_t limit,
    const std::function<void(const std::string& text, const std::string& where)>& handle);

// The records of a JSONL file, an object a line. The fields in `used` must be there and hold a
// string, a number (kept as text) or a list of strings; what others hold is nobody's business.
// Error kBadData names file:line.
std::vector<Record> read_jsonl_records(const std::filesystem::path& path,
                                       const std::vector<std::string>& used, size_t limit);

// The same demand on one field of a record. Error kBadData.
void require_text(Record& record, const std::string& field);

// Error kBadData: "WHERE: WHAT".
[[noreturn]] void bad_data(const std::string& where, const std::string& what);

// Whether `record` has a usable target for `task`: not empty, one of the labels or choices where
// the task has them. Error kBadData with the record's place.
void check_target(const Task& task, const Record& record);

}  // namespace trivium
