// Where a command's result lines go: standard output, or a file that appears whole at the end.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/file.h"
#include "core/base/file_lock.h"
#include "core/base/json.h"

namespace trivium::cli {

// What becomes of a result file, or of its part of an earlier run, that is there already.
enum class OldFile {
  kRefused,    // an Error
  kReplaced,   // --overwrite: it is written anew
  kContinued,  // --resume: its part is gone on with; a file that is whole is an Error
};

// --overwrite and --resume, for an --output file.
void add_old_file_flags(CLI::App& command, OldFile& old);

// What ResultFile would throw for a path, with nothing made or changed.
void check_result_file(const std::string& path, OldFile old);

// A file is written as PATH.part and gets its name in finish(). Without finish() the part stays,
// unless it is empty: it holds the lines that were done. Symbolic links are followed, and a device
// or a pipe is written into: neither is replaced by a file.
class ResultFile {
 public:
  // "-" is standard output. Error kExists where the file, or its part of an earlier run, is there
  // and may not be overwritten, or where another process is writing it; kUsage where there can be
  // nothing to go on with; kIo.
  ResultFile(const std::string& path, OldFile old);
  ~ResultFile();
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;

  // What the results follow from is kept beside the part, as PATH.part.run, until finish(). Error
  // kExists, which names the first difference, where the part was begun with something else.
  void hold_to(const Json& settings);
  // Of a part that is gone on with: cuts it behind its first `bytes`.
  void keep(uint64_t bytes);

  // Writes through at once, so that a reader gets whole lines. Error kIo.
  void write(std::string_view text);
  void finish();
  // The same where the lines were notes on the way, and the file is to hold `text` instead.
  void finish_as(std::string_view text);

  bool is_standard_output() const { return is_standard_output_; }
  // Whether what is written lies in a part until finish().
  bool has_part() const { return !is_standard_output_ && target_.is_replaceable; }
  // Whether there are lines of an earlier run.
  bool is_continued() const { return is_continued_; }
  const std::filesystem::path& part() const { return part_; }

 private:
  std::filesystem::path record() const { return part_.string() + ".run"; }

  bool is_standard_output_;
  WriteTarget target_;
  std::unique_ptr<FileLock> lock_;  // of what is replaced
  std::filesystem::path part_;      // what is written until finish()
  int descriptor_ = -1;
  bool is_continued_ = false;
  bool is_empty_ = true;
  bool is_finished_ = false;
};

}  // namespace trivium::cli
