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

[[noreturn]] void throw_io(const std::filesystem::path& path) {
  throw Error(ExitCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
}

}  // namespace

ResultFile::ResultFile(const std::string& path, bool overwrite)
    : is_standard_output_(path == "-"), target_(write_target(path)), descriptor_(-1) {
  if (is_standard_output()) return;
  if (path.empty()) {
    throw Error(ExitCode::kConfig, "--output is empty; name a file, or - for standard output");
  }
  if (std::filesystem::is_directory(target_.path)) {
    throw Error(ExitCode::kConfig, "--output: " + path + " is a folder; name a file");
  }
  part_ = target_.path;
  if (!target_.is_replaceable) {
    descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw_io(part_);
    return;
  }
  part_ += ".part";
  if (!overwrite && std::filesystem::exists(target_.path)) {
    throw Error(ExitCode::kExists, path + " exists; name another --output, or say --overwrite");
  }
  if (!overwrite && std::filesystem::exists(part_)) {
    throw Error(ExitCode::kExists, part_.string() +
                                       " holds the lines of a run that was stopped; move it away, "
                                       "or say --overwrite");
  }
  descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw_io(part_);
}

ResultFile::~ResultFile() {
  if (is_standard_output()) return;
  ::close(descriptor_);
  if (is_empty_ && !is_finished_ && target_.is_replaceable) ::unlink(part_.c_str());
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

void ResultFile::finish() {
  if (is_standard_output() || !target_.is_replaceable) return;
  sync_path(part_);
  if (::rename(part_.c_str(), target_.path.c_str()) != 0) throw_io(target_.path);
  is_finished_ = true;
  sync_path(target_.path.has_parent_path() ? target_.path.parent_path() : ".");
}

}  // namespace trivium::cli
