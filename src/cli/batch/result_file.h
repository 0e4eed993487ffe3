// Where a command's result lines go: standard output, or a file that appears whole at the end.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/file.h"

namespace trivium::cli {

// A file is written as PATH.part and gets its name in finish(). Without finish() the part stays,
// unless it is empty: it holds the lines that were done. Symbolic links are followed, and a device
// or a pipe is written into: neither is replaced by a file.
class ResultFile {
 public:
  // "-" is standard output. Error kExists where the file, or its part of an earlier run, is there
  // and may not be overwritten; kIo.
  ResultFile(const std::string& path, bool overwrite);
  ~ResultFile();
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;

  // Writes through at once, so that a reader gets whole lines. Error kIo.
  void write(std::string_view text);
  void finish();

  bool is_standard_output() const { return is_standard_output_; }
  const std::filesystem::path& part() const { return part_; }

 private:
  bool is_standard_output_;
  WriteTarget target_;
  std::filesystem::path part_;  // what is written until finish()
  int descriptor_;
  bool is_empty_ = true;
  bool is_finished_ = false;
};

}  // namespace trivium::cli
