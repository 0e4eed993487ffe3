// The result lines of a run that was stopped, held against the input lines that they are of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "cli/batch/request.h"
#include "core/base/json.h"

namespace trivium::cli {

// The next line of a part, whose bytes are added to `bytes`; nothing at its end. A line that is not
// whole, or no JSON, is the end of a write that was cut off.
std::optional<Json> next_whole_line(std::istream& part, uint64_t& bytes);

class DoneLines {
 public:
  // Error kIo.
  explicit DoneLines(const std::filesystem::path& part);

  // The next results, one for each request; nothing where not all of them are there, whole. Error
  // kExists where they are those of another input.
  std::optional<std::vector<Json>> next(const std::vector<Request>& window);

  // Bytes of the lines that were given out.
  uint64_t bytes() const { return bytes_; }
  // Whether a whole line is left.
  bool has_more();

 private:
  std::optional<Json> read(uint64_t& bytes);

  std::filesystem::path part_;
  std::ifstream file_;
  uint64_t bytes_ = 0;
};

}  // namespace trivium::cli
