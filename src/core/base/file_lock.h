// One writer at a time.
#pragma once

#include <filesystem>

namespace trivium {

// Keeps other processes from writing `target`, a file or a folder that need not be there yet, as
// long as it lives: an advisory lock on "<target>.lock" beside it, which the system lets go when
// the process ends, however it ends. Error kExists, which names `target`, where another process
// holds it; kIo.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& target);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace trivium
