#include "cli/batch/done_lines.h"

#include <string>

#include "core/base/error.h"

namespace trivium::cli {

std::optional<Json> next_whole_line(std::istream& part, uint64_t& bytes) {
  std::string text;
  if (!std::getline(part, text) || part.eof()) return std::nullopt;
  Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (line.is_discarded()) return std::nullopt;
  bytes += text.size() + 1;
  return line;
}

DoneLines::DoneLines(const std::filesystem::path& part)
    : part_(part), file_(part, std::ios::binary) {
  if (!file_) throw Error(ExitCode::kIo, "cannot read " + part.string());
}

std::optional<Json> DoneLines::read(uint64_t& bytes) {
  std::optional<Json> line = next_whole_line(file_, bytes);
  return line && line->is_object() ? std::move(line) : std::nullopt;
}

std::optional<std::vector<Json>> DoneLines::next(const std::vector<Request>& window) {
  std::vector<Json> results;
  uint64_t bytes = 0;
  for (const Request& request : window) {
    std::optional<Json> line = read(bytes);
    if (!line) return std::nullopt;
    if (line->value("line", Json()) != request.line || line->value("id", Json()) != request.id) {
      throw Error(ExitCode::kExists, part_.string() +
                                         " holds the results of another input: of line " +
                                         std::to_string(request.line) +
                                         " it has \"id\" or \"line\" otherwise; name "
                                         "another --output, or say --overwrite");
    }
    results.push_back(std::move(*line));
  }
  bytes_ += bytes;
  return results;
}

bool DoneLines::has_more() {
  uint64_t bytes = 0;
  return read(bytes).has_value();
}

}  // namespace trivium::cli
