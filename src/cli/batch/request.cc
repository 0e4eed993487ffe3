#include "cli/batch/request.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kWindowBytes = size_t{16} << 20;
constexpr int kPatience =
    20;  // milliseconds in which a producer that is at work gives its next line

// Cuts between characters; returns whether it had to.
bool cut(std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return false;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return true;
}

bool cut_texts(Json& value) {
  if (value.is_string()) return cut(value.get_ref<std::string&>(), RequestReader::kMaxText);
  bool any = false;
  if (value.is_structured()) {
    for (Json& item : value) any |= cut_texts(item);
  }
  return any;
}

void parse_json_line(const std::string& text, Request& request) {
  const std::string where = "bad request";
  const Json line = parse_json(text, where);
  if (!line.is_object()) throw Error(ExitCode::kBadData, where + ": not a JSON object");
  if (line.contains("id")) request.id = line.at("id");
  request.task = json_get_or<std::string>(line, "task", where, "");
  if (line.contains("prefix") && !line.at("prefix").is_null()) {
    request.prefix = json_get<std::string>(line, "prefix", where);
  }
  request.options = json_get_or<std::vector<std::string>>(line, "options", where, {});
  if (request.options.empty() && line.contains("options") && !line.at("options").is_null()) {
    throw Error(ExitCode::kBadData,
                where + ": \"options\" is empty; leave it out for the task's own");
  }
  request.input = json_get<Json>(line, "input", where);
  if (!request.input.is_string() && !request.input.is_object()) {
    throw_json_type_error("input", where, false);
  }
}

InputFormat format_of_ending(const std::string& path) {
  for (const char* ending : {".jsonl", ".ndjson", ".json"}) {
    if (path.ends_with(ending)) return InputFormat::kJsonl;
  }
  if (path.ends_with(".tsv")) return InputFormat::kTsv;
  return path.ends_with(".txt") ? InputFormat::kText : InputFormat::kAuto;
}

}  // namespace

bool is_blank(const Json& value) {
  if (value.is_string()) return trim(value.get_ref<const std::string&>()).empty();
  return value.is_structured() && std::all_of(value.begin(), value.end(), is_blank);
}

const EnumNames<InputFormat>& input_format_names() {
  static const EnumNames<InputFormat> names = {{"auto", InputFormat::kAuto},
                                               {"jsonl", InputFormat::kJsonl},
                                               {"text", InputFormat::kText},
                                               {"tsv", InputFormat::kTsv}};
  return names;
}

RequestReader::RequestReader(const std::string& path, InputFormat format,
                             const std::atomic<bool>& stop, size_t window_lines)
    : stream_(path, stop),
      lines_stream_(&stream_),
      lines_(lines_stream_, stream_.name(), kMaxLine),
      format_(format),
      window_lines_(window_lines) {
  if (format_ == InputFormat::kAuto) format_ = format_of_ending(path);
}

std::vector<Request> RequestReader::next_window() {
  std::vector<Request> window;
  for (size_t bytes = 0; window.size() < window_lines_ && bytes < kWindowBytes;) {
    if (!window.empty() && !stream_.is_ready(kPatience)) break;
    const auto line = lines_.next();
    if (!line) break;
    window.push_back(parse(*line));
    bytes += line->text.size();
  }
  return window;
}

Request RequestReader::parse(const LineReader::Line& line) {
  Request request;
  request.line = line.number;
  std::string text = line.text;
  if (line.truncated) cut(text, text.size() - 1);  // the limit may have halved a character
  if (!is_valid_utf8(text)) {
    ++invalid_lines_;
    text = replace_invalid_utf8(text);
  }
  request.is_empty = trim(text).empty();
  if (format_ == InputFormat::kAuto && !request.is_empty) {
    format_ = trim(text).front() == '{' ? InputFormat::kJsonl : InputFormat::kText;
  }
  if (format_ == InputFormat::kText) {
    request.input = std::move(text);
  } else if (format_ == InputFormat::kTsv) {
    request.options = split(text, '\t');
    request.input = request.options.front();
    request.options.erase(request.options.begin());
    request.is_empty = is_blank(request.input);
  } else if (!request.is_empty) {
    try {
      if (line.truncated) throw Error(ExitCode::kBadData, "the line is longer than 16 MiB");
      parse_json_line(text, request);
      request.is_empty = is_blank(request.input);
    } catch (const Error& error) {
      request.error = error.what();
    }
  }
  if (!request.error.empty()) return request;
  request.truncated = cut_texts(request.input) || line.truncated;
  truncated_lines_ += request.truncated;
  return request;
}

}  // namespace trivium::cli
