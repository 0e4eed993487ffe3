// Files: whole reads, atomic writes, bounded line reading.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace trivium {

// The file's bytes. Error kMissingInput when it does not exist, kIo when it cannot be read.
std::string read_file(const std::filesystem::path& path);

// Where bytes for a path go.
struct WriteTarget {
  std::filesystem::path path;  // with symbolic links followed, also where nothing is there yet
  // Whether a new file may take its name. A device, a pipe or a socket is written into instead.
  bool is_replaceable = true;
};
WriteTarget write_target(const std::filesystem::path& path);

// Writes `bytes` to `path` so that a reader, or a crash, sees the old file or the new one and
// nothing between: temporary file, fsync, rename, fsync of the folder. What write_target says may
// not be replaced is written into. Error kMissingInput, kIo.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
// The same for bytes that lie in several places, one after the other.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> pieces);

// Flushes a file's (or folder's) data to the disk. Error kIo.
void sync_path(const std::filesystem::path& path);

// The file's SHA-256 as 64 hexadecimal digits. Error as read_file.
std::string sha256_of_file(const std::filesystem::path& path);

// Reads a stream line by line without ever holding more than `max_bytes` of one line. Removes a
// UTF-8 byte order mark at the start and the CR of a CRLF. `name` is that of the stream in errors.
class LineReader {
 public:
  struct Line {
    std::string text;        // at most max_bytes of it
    int64_t number = 0;      // counted from 1
    bool truncated = false;  // the line was longer than max_bytes; the rest was skipped
  };

  LineReader(std::istream& stream, std::string name, size_t max_bytes = size_t{1} << 20)
      : stream_(stream), name_(std::move(name)), max_bytes_(max_bytes) {}

  // The next line, or nothing at the end of the stream. Error kBadData for UTF-16.
  std::optional<Line> next();

  // How an error names a line: "train.jsonl:12".
  std::string place(const Line& line) const { return name_ + ":" + std::to_string(line.number); }

 private:
  std::istream& stream_;
  std::string name_;
  size_t max_bytes_;
  int64_t number_ = 0;
};

}  // namespace trivium
