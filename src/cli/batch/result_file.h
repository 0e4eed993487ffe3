// Where a command's result lines go: standard output, or a file that appears whole at the end.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace trivium::cli {

// A file is written as PATH.part and gets its name in finish(). Without finish() the part stays,
// unless it is empty: it holds the lines that were done.
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

  bool is_standard_output() const { return path_ == "-"; }
  const std::filesystem::path& part() const { return part_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path part_;
  int descriptor_;
  bool is_empty_ = true;
  bool is_finished_ = false;
};

}  // namespace trivium::cli
