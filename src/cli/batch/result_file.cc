#include "cli/batch/result_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/output/output.h"
#include "core/base/error.h"
#include "core/base/file.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_io(const fs::path& path) {
  throw Error(ExitCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
}

fs::path part_of(const fs::path& file) { return file.string() + ".part"; }

// The key in which two objects first differ, with what it was and is.
std::string difference(const Json& before, const Json& now) {
  const auto said = [](const Json& object, const std::string& key) {
    return object.contains(key) ? to_json_line(object.at(key)) : std::string("nothing");
  };
  for (const Json* object : {&before, &now}) {
    for (const auto& [key, value] : object->items()) {
      if (said(before, key) == said(now, key)) continue;
      return key + " was " + said(before, key) + " and is " + said(now, key);
    }
  }
  return "";
}

}  // namespace

void add_old_file_flags(CLI::App& command, OldFile& old) {
  const auto add = [&](const char* flag, OldFile meant, const char* help) {
    return command.add_flag_callback(
        flag, [&old, meant] { old = meant; }, help);
  };
  CLI::Option* overwrite = add("--overwrite", OldFile::kReplaced, "replace the --output file");
  add("--resume", OldFile::kContinued,
      "go on with the --output file of a run that was stopped, or begin it")
      ->excludes(overwrite);
}

void check_result_file(const std::string& path, OldFile old) {
  const WriteTarget target = write_target(path);
  if (old == OldFile::kContinued && (path == "-" || !target.is_replaceable)) {
    throw Error(ExitCode::kUsage, "--resume goes on with a file; name it by --output");
  }
  if (path == "-") return;
  if (path.empty()) {
    throw Error(ExitCode::kConfig, "--output is empty; name a file, or - for standard output");
  }
  if (fs::is_directory(target.path)) {
    throw Error(ExitCode::kConfig, "--output: " + path + " is a folder; name a file");
  }
  if (!target.is_replaceable) return;
  const fs::path part = part_of(target.path);
  const fs::path folder = target.path.has_parent_path() ? target.path.parent_path() : ".";
  if (!fs::is_directory(folder)) {
    errno = fs::exists(folder) ? ENOTDIR : ENOENT;
    throw_io(part);
  }
  if (old != OldFile::kReplaced && fs::exists(target.path)) {
    throw Error(ExitCode::kExists, path + " exists; name another --output, or say --overwrite");
  }
  if (old == OldFile::kRefused && fs::exists(part)) {
    throw Error(ExitCode::kExists,
                part.string() +
                    " holds the lines of a run that was stopped; generate, score and eval go on "
                    "with it where you say --resume; --overwrite begins anew");
  }
}

ResultFile::ResultFile(const std::string& path, OldFile old)
    : is_standard_output_(path == "-"), target_(write_target(path)) {
  check_result_file(path, old);
  if (is_standard_output()) return;
  if (target_.is_replaceable) {
    part_ = part_of(target_.path);
    lock_ = std::make_unique<FileLock>(target_.path);
    check_result_file(path, old);  // who held the lock may have written the file
    is_continued_ = old == OldFile::kContinued && fs::exists(part_);
    const int truncate = is_continued_ ? 0 : O_TRUNC;
    descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | truncate, 0644);
  } else {
    part_ = target_.path;
    descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CLOEXEC);
  }
  if (descriptor_ < 0) throw_io(part_);
}

ResultFile::~ResultFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!is_empty_ || is_finished_ || is_continued_ || !target_.is_replaceable) return;
  ::unlink(part_.c_str());
  ::unlink(record().c_str());
}

void ResultFile::hold_to(const Json& settings) {
  if (!has_part()) return;
  if (!is_continued_) return write_file_atomically(record(), to_json_line(settings) + "\n");
  const std::string problem =
      fs::exists(record()) ? difference(read_json_file(record()), settings)
                           : "it does not say what it was begun with (" + record().string() + ")";
  if (problem.empty()) return;
  throw Error(ExitCode::kExists, part_.string() + " is of another run: " + problem +
                                     "; go on with what it was begun with, or say --overwrite");
}

void ResultFile::keep(uint64_t bytes) {
  const auto end = static_cast<off_t>(bytes);
  if (::ftruncate(descriptor_, end) != 0 || ::lseek(descriptor_, end, SEEK_SET) != end) {
    throw_io(part_);
  }
}

void ResultFile::write(std::string_view text) {
  is_empty_ = is_empty_ && text.empty();
  if (is_standard_output()) return write_output(text);
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io(part_);
    text.remove_prefix(static_cast<size_t>(count));
  }
}

void ResultFile::finish_as(std::string_view text) {
  if (!has_part()) return write(text);
  write_file_atomically(target_.path, text);
  is_finished_ = true;
  ::unlink(part_.c_str());
  ::unlink(record().c_str());
}

void ResultFile::finish() {
  if (!has_part()) return;
  sync_path(part_);
  if (::rename(part_.c_str(), target_.path.c_str()) != 0) throw_io(target_.path);
  is_finished_ = true;
  ::unlink(record().c_str());
  sync_path(target_.path.has_parent_path() ? target_.path.parent_path() : ".");
}

}  // namespace trivium::cli
