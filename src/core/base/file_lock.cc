#include "core/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/base/error.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

// Whether the open file still has its name: who held the lock before may have removed it.
bool has_name(int descriptor, const fs::path& file) {
  struct stat open = {}, named = {};
  return fstat(descriptor, &open) == 0 && stat(file.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

[[noreturn]] void fail(const fs::path& file) {
  throw Error(ExitCode::kIo, file.string() + ": " + std::strerror(errno));
}

}  // namespace

FileLock::FileLock(const fs::path& target) {
  fs::path plain = target.lexically_normal();
  if (!plain.has_filename()) plain = plain.parent_path();  // "runs/x/"
  file_ = plain.string() + ".lock";
  std::error_code error;
  if (plain.has_parent_path()) fs::create_directories(plain.parent_path(), error);
  while (descriptor_ < 0) {
    const int descriptor = open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0) fail(file_);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const bool held = errno == EWOULDBLOCK;
      close(descriptor);
      if (!held) fail(file_);
      throw Error(ExitCode::kExists, target.string() +
                                         " is being written by another process; wait until it "
                                         "ends, or choose another place");
    }
    if (has_name(descriptor, file_)) {
      descriptor_ = descriptor;
    } else {
      close(descriptor);
    }
  }
}

FileLock::~FileLock() {
  unlink(file_.c_str());
  close(descriptor_);
}

}  // namespace trivium
