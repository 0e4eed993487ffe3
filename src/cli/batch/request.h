// The input lines of generate and score.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/base/json.h"
#include "cli/batch/input_stream.h"

namespace trivium::cli {

// One input line. Where `error` is set, the rest may be missing.
struct Request {
  int64_t line = 0;  // counted from 1
  Json id;           // the line's own, repeated in the result; null where it has none
  std::string task;  // "" where it names none
  Json input;        // a string, or an object of fields
  std::vector<std::string> options;  // "options"; empty where it has none
  bool truncated = false;            // the input was longer than kMaxText and was cut
  bool is_empty = false;             // nothing to answer
  std::string error;                 // what is wrong; "" for a good line
};

// Lines of JSON, {"input": TEXT or {"FIELD": TEXT...}, "task"?, "id"?, "options"?}, or of plain
// text.
class RequestReader {
 public:
  static constexpr size_t kMaxLine = size_t{16} << 20;  // bytes; what is longer is cut
  static constexpr size_t kMaxText = size_t{1} << 20;   // bytes of one text of the input

  // `format`: "jsonl", "text", or "" to go by the path's ending (.jsonl, .txt), else by whether the
  // first line that is not empty begins with "{".
  RequestReader(const std::string& path, const std::string& format, const std::atomic<bool>& stop);

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
  std::string format_;
  int64_t invalid_lines_ = 0;
  int64_t truncated_lines_ = 0;
};

}  // namespace trivium::cli
