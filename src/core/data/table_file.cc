#include "core/data/table_file.h"

#include <csv.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/gym.h"
#include "core/data/jsonl_records.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestField = 1 << 20;  // bytes, as of a line elsewhere
constexpr size_t kMostColumns = 1000;
constexpr size_t kMostLabels = 100;
constexpr size_t kLongestLabel = 64;   // bytes
constexpr size_t kLongestHeader = 80;  // bytes of a column's name
constexpr size_t kMostNumberLabels = 10;
constexpr size_t kAnswerWords = 3;  // of open answers that are compared whole

const std::vector<std::string> kTargetNames = {
    "label",    "labels",    "target",  "targets",  "answer",     "output",      "class",
    "category", "sentiment", "summary", "response", "completion", "translation", "y"};
const std::set<std::string> kIgnoredNames = {"id", "idx", "index", "uid", "guid", "unnamed__0"};
const std::map<std::string, Split> kSplitNames = {
    {"train", Split::kTrain}, {"dev", Split::kDev},        {"valid", Split::kDev},
    {"val", Split::kDev},     {"validation", Split::kDev}, {"test", Split::kTest}};

struct Table {
  std::vector<std::string> columns;  // plain names
  std::vector<Record> rows;          // all columns, each a text or a list of texts
};

std::string row_place(const fs::path& path, size_t row) {
  return path.string() + " row " + std::to_string(row);
}

std::vector<std::string> column_names(const std::vector<std::string>& header,
                                      const std::string& path) {
  if (header.size() > kMostColumns) {
    bad_data(path, "it has " + std::to_string(header.size()) + " columns; the most are 1000");
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < header.size(); ++i) {
    const std::string name(trim(header[i]));
    if (name.size() > kLongestHeader) {
      bad_data(path, "the first line must name the columns, but has a text of " +
                         std::to_string(name.size()) + " bytes");
    }
    // A table that pandas wrote has its row numbers in a first column without a name.
    names.push_back(!name.empty() ? made_plain(name)
                    : i == 0      ? "index"
                                  : "column_" + std::to_string(i + 1));
    if (std::count(names.begin(), names.end(), names.back()) > 1) {
      bad_data(path, "two columns are called " + names.back());
    }
  }
  return names;
}

// Makes a table of rows as they come, the header first.
class TableMaker {
 public:
  TableMaker(const fs::path& path, size_t limit) : path_(path), limit_(limit) {}

  size_t rows() const { return row_; }
  bool is_full() const { return limit_ > 0 && table_.rows.size() >= limit_; }

  void add_row(const std::vector<std::string>& fields) {
    ++row_;
    const std::string where = row_place(path_, row_);
    for (const std::string& field : fields) {
      if (!is_valid_utf8(field)) bad_data(where, "not valid UTF-8");
    }
    if (row_ == 1) {
      table_.columns = column_names(fields, path_.string());
      return;
    }
    if (is_full()) return;
    if (fields.size() != table_.columns.size()) {
      bad_data(where, std::to_string(fields.size()) + " columns, but the header has " +
                          std::to_string(table_.columns.size()) +
                          "; in CSV a text with commas stands in quotes");
    }
    Record record{Json::object(), where};
    for (size_t i = 0; i < fields.size(); ++i) record.fields[table_.columns[i]] = fields[i];
    table_.rows.push_back(std::move(record));
  }

  Table take() { return std::move(table_); }

 private:
  const fs::path& path_;
  size_t limit_;
  size_t row_ = 0;
  Table table_;
};

std::ifstream opened(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(ExitCode::kMissingInput, "cannot read " + path.string());
  return stream;
}

// What libcsv's callbacks fill: they are called from C, so that nothing is thrown from them.
struct CsvRows {
  std::vector<std::string> fields;
  std::vector<std::vector<std::string>> rows;
  bool has_too_many = false;

  static void add_field(void* text, size_t size, void* self) {
    auto& rows = *static_cast<CsvRows*>(self);
    if (rows.fields.size() < kMostColumns) {
      rows.fields.emplace_back(static_cast<const char*>(text), size);
    } else {
      rows.has_too_many = true;
    }
  }
  static void end_row(int, void* self) {
    auto& rows = *static_cast<CsvRows*>(self);
    rows.rows.push_back(std::move(rows.fields));
    rows.fields.clear();
  }
};

char delimiter_of(std::string_view first_line) {
  const bool has_comma = first_line.find(',') != std::string_view::npos;
  return !has_comma && first_line.find(';') != std::string_view::npos ? ';' : ',';
}

// Hands rows over as they are whole, so that a large file is not held twice.
Table read_csv(const fs::path& path, size_t limit) {
  std::ifstream stream = opened(path);
  csv_parser raw{};
  check(csv_init(&raw, CSV_STRICT | CSV_STRICT_FINI) == 0, "libcsv cannot begin");
  const std::unique_ptr<csv_parser, void (*)(csv_parser*)> parser(&raw, csv_free);
  TableMaker maker(path, limit);
  CsvRows rows;
  const auto hand_over = [&] {
    if (rows.has_too_many) bad_data(path.string(), "a row has more than 1000 columns");
    for (const auto& row : rows.rows) maker.add_row(row);
    rows.rows.clear();
  };
  std::string buffer(1 << 16, '\0');
  bool is_first = true;
  while (!maker.is_full() &&
         (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
          stream.gcount() > 0)) {
    std::string_view chunk(buffer.data(), static_cast<size_t>(stream.gcount()));
    if (std::exchange(is_first, false)) {
      refuse_utf16(chunk, path.string());
      if (chunk.starts_with("\xEF\xBB\xBF")) chunk.remove_prefix(3);
      csv_set_delim(&raw,
                    static_cast<unsigned char>(delimiter_of(chunk.substr(0, chunk.find('\n')))));
    }
    if (csv_parse(&raw, chunk.data(), chunk.size(), CsvRows::add_field, CsvRows::end_row, &rows) !=
        chunk.size()) {
      bad_data(row_place(path, maker.rows() + rows.rows.size() + 1),
               "a quote in the middle of a text; such a text stands in quotes, its own doubled");
    }
    if (csv_get_buffer_size(&raw) > 2 * kLongestField) {
      bad_data(path.string(), "a field is longer than 1 MiB; is a quote not closed?");
    }
    hand_over();
  }
  if (!maker.is_full() && csv_fini(&raw, CsvRows::add_field, CsvRows::end_row, &rows) != 0) {
    bad_data(path.string(), "a quote is not closed before the end");
  }
  hand_over();
  return maker.take();
}

Table read_tsv(const fs::path& path, size_t limit) {
  TableMaker maker(path, limit);
  for_each_line(path, limit == 0 ? 0 : limit + 1, [&](const std::string& text, const std::string&) {
    maker.add_row(split(text, '\t'));
  });
  return maker.take();
}

// A cell as text, or as a list of texts; nothing where it is neither.
std::optional<Json> cell_of(const Json& value) {
  if (value.is_number() || value.is_boolean()) return value.dump();
  if (json_as<std::string>(value) || json_as<std::vector<std::string>>(value)) return value;
  return std::nullopt;
}

// The columns are the first line's keys whose values can be cells; other lines need them too.
Table read_jsonl(const fs::path& path, size_t limit) {
  Table table;
  std::vector<std::string> keys;
  for_each_line(path, limit, [&](const std::string& text, const std::string& where) {
    const Json line = parse_json(text, where);
    if (!line.is_object()) bad_data(where, "the line is not a JSON object");
    if (keys.empty()) {
      for (const auto& [key, value] : line.items()) {
        if (cell_of(value)) keys.push_back(key);
      }
      table.columns = column_names(keys, path.string());
    }
    Record record{Json::object(), where};
    for (size_t i = 0; i < keys.size(); ++i) {
      const std::optional<Json> cell =
          line.contains(keys[i]) ? cell_of(line.at(keys[i])) : std::nullopt;
      if (!cell) bad_data(where, "\"" + keys[i] + "\" is not text, as it is in the first line");
      record.fields[table.columns[i]] = *cell;
    }
    table.rows.push_back(std::move(record));
  });
  return table;
}

std::string target_column(const std::vector<std::string>& columns) {
  for (const std::string& name : kTargetNames) {
    for (const std::string& column : columns) {
      if (to_lower_ascii(column) == name) return column;
    }
  }
  return columns.back();
}

// The column that says which split each row is of; "" where none does.
std::string split_column(const Table& table) {
  for (const std::string& column : table.columns) {
    if (to_lower_ascii(column) != "split") continue;
    const bool is_split = std::all_of(table.rows.begin(), table.rows.end(), [&](const Record& row) {
      const Json& value = row.fields.at(column);
      return value.is_string() && kSplitNames.contains(to_lower_ascii(value.get<std::string>()));
    });
    if (is_split) return column;
  }
  return "";
}

bool is_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

size_t median_words(const std::vector<std::string>& texts) {
  std::vector<size_t> words;
  for (const std::string& text : texts) {
    size_t count = 0;
    for (const std::string& word : split(text, ' ')) count += word.empty() ? 0 : 1;
    words.push_back(count);
  }
  const auto middle = words.begin() + static_cast<std::ptrdiff_t>(words.size() / 2);
  std::nth_element(words.begin(), middle, words.end());
  return *middle;
}

// What the targets are: labels, numbers, or open answers, short or long.
void choose_metric(const std::vector<std::string>& targets, Task& task) {
  const std::set<std::string> different(targets.begin(), targets.end());
  const bool are_numbers = std::all_of(different.begin(), different.end(), is_number);
  const bool are_short = std::all_of(different.begin(), different.end(), [](const auto& target) {
    return target.size() <= kLongestLabel;
  });
  const size_t most = are_numbers ? kMostNumberLabels : kMostLabels;
  if (different.size() >= 2 && different.size() <= most && are_short &&
      targets.size() >= 2 * different.size()) {
    task.labels.assign(different.begin(), different.end());
    task.metric = "accuracy";
  } else if (are_numbers && different.size() > 1) {
    task.metric = "pearson_spearman";
  } else {
    task.metric = median_words(targets) <= kAnswerWords ? "em" : "rouge_l";
  }
}

Table read_table(const fs::path& path, size_t limit) {
  const std::string ending = to_lower_ascii(path.extension().string());
  if (ending == ".csv") return read_csv(path, limit);
  return ending == ".tsv" ? read_tsv(path, limit) : read_jsonl(path, limit);
}

}  // namespace

std::string made_plain(const std::string& name) {
  std::string plain;
  for (const char c : name) plain += is_plain_name(std::string(1, c)) ? c : '_';
  return plain;
}

Task load_table_task(const fs::path& path, const std::string& name, size_t limit) {
  Table table = read_table(path, limit);
  if (table.rows.empty()) bad_data(path.string(), "no examples, only a header or nothing");
  Task task;
  task.name = name;
  task.target = target_column(table.columns);
  const std::string split_by = split_column(table);
  for (const std::string& column : table.columns) {
    if (column == task.target || column == split_by) continue;
    if (!kIgnoredNames.contains(to_lower_ascii(column))) task.inputs.push_back(column);
  }
  if (task.inputs.empty()) {
    bad_data(path.string(), "the only column is " + task.target +
                                "; examples need one that is asked and one with the answer");
  }
  std::vector<std::string> targets;
  for (Record& row : table.rows) {
    check_target(task, row);
    targets.push_back(row.fields.at(task.target).get<std::string>());
    const Split part =
        split_by.empty()
            ? Split::kTrain
            : kSplitNames.at(to_lower_ascii(row.fields.at(split_by).get<std::string>()));
    task.records[part].push_back(std::move(row));
  }
  choose_metric(targets, task);
  return task;
}

std::string table_task_text(const Task& task) {
  std::string text;
  for (const std::string& input : task.inputs) text += (text.empty() ? "" : ", ") + input;
  text += " -> " + task.target;
  constexpr size_t kShown = 5;
  for (size_t i = 0; i < std::min(kShown, task.labels.size()); ++i) {
    text += (i == 0 ? " (" : ", ") + task.labels[i];
  }
  if (task.labels.size() > kShown) {
    text += " and " + std::to_string(task.labels.size() - kShown) + " more";
  }
  return text + (task.labels.empty() ? "" : ")") + ", scored by " + task.metric;
}

}  // namespace trivium
