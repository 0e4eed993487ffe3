// The input lines of generate and score.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/batch/input_stream.h"
#include "core/base/enum_names.h"
#include "core/base/file.h"
#include "core/base/json.h"

namespace trivium::cli {

// Whether a text, or every text of an object, is white space or nothing.
bool is_blank(const Json& value);

enum class InputFormat {
  kAuto,   // by the file's ending, else by the first value
  kJsonl,  // an object a line
  kText,   // a prompt a line
  kTsv,    // input TAB answer [TAB answer...], as CrossFit writes it; quotes are plain characters
};
const EnumNames<InputFormat>& input_format_names();  // "auto", "jsonl", "text", "tsv"

// One input line. Where `error` is set, the rest may be missing.
struct Request {
  int64_t line = 0;  // counted from 1
  Json id;           // the line's own, repeated in the result; null where it has none
  std::string task;  // "" where it names none
  Json input;        // a string, or an object of fields
  std::optional<std::string> prefix;  // what the answer begins with, where the line says
  std::vector<std::string> options;   // "options", or TSV's answers; empty where it has none
  bool truncated = false;             // the input was longer than kMaxText and was cut
  bool is_empty = false;              // nothing to answer
  std::string error;                  // what is wrong; "" for a good line
};

// Lines of JSON, {"input": TEXT or {"FIELD": TEXT...}, "task"?, "id"?, "options"?, "prefix"?}, of
// plain text, or of columns.
class RequestReader {
 public:
  static constexpr size_t kMaxLine = size_t{16} << 20;  // bytes; what is longer is cut
  static constexpr size_t kMaxText = size_t{1} << 20;   // bytes of one text of the input

  // kAuto goes by the path's ending (.jsonl, .ndjson, .json, .txt, .tsv), else by whether the first
  // character of the first line that is not blank, white space aside, is "{".
  // A window has at most `window_lines` lines.
  RequestReader(const std::string& path, InputFormat format, const std::atomic<bool>& stop,
                size_t window_lines = 1024);

  // The next requests in order; none at the end. A window ends where it is full, and where the next
  // line would have to be waited for, so that a program that asks line by line gets its answers.
  std::vector<Request> next_window();

  // "stdin:3"
  std::string place(int64_t line) const { return stream_.name() + ":" + std::to_string(line); }
  // Lines so far whose bytes were not UTF-8 and got U+FFFD instead, or whose text was cut.
  int64_t invalid_lines() const { return invalid_lines_; }
  int64_t truncated_lines() const { return truncated_lines_; }

 private:
  Request parse(const LineReader::Line& line);

  InputStream stream_;
  std::istream lines_stream_;
  LineReader lines_;
  InputFormat format_;
  size_t window_lines_;
  int64_t invalid_lines_ = 0;
  int64_t truncated_lines_ = 0;
};

}  // namespace trivium::cli
