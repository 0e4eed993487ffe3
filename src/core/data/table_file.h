// A table of examples in one file, as people have them: what is asked and what is answered is found
// out from the columns (docs/data.md, "One file of examples").
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "core/data/task.h"

namespace trivium {

// CSV with a header line (commas, or semicolons where it has no comma), TSV with one (quotes are
// plain characters), or JSONL of objects with like keys, by the file's ending. A column called like
// an answer ("label", "target", "answer", ...) is the target, else the last is; "id" and the like
// are left out; a column "split" says which split each row is of, else all are train; the others
// are the inputs. Few short targets that repeat are labels. `limit` > 0 reads at most so many rows.
// Error kBadData names the file and row, kMissingInput a file that cannot be read.
Task load_table_task(const std::filesystem::path& path, const std::string& name, size_t limit = 0);

// A name that is_plain_name takes: "Review_text" of "Review text".
std::string made_plain(const std::string& name);

// What was found out, for people: "text -> label (negative or positive), scored by accuracy".
std::string table_task_text(const Task& task);

}  // namespace trivium
