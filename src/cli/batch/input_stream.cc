#include "cli/batch/input_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr int kStopCheck = 200;  // milliseconds between two looks at `stop` while nothing comes

}  // namespace

InputStream::InputStream(const std::string& path, const std::atomic<bool>& stop)
    : name_(path == "-" ? "stdin" : path), descriptor_(STDIN_FILENO), stop_(stop) {
  if (path == "-") return;
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error(errno == ENOENT ? ExitCode::kMissingInput : ExitCode::kIo,
                "cannot read " + path + ": " + std::strerror(errno));
  }
}

InputStream::~InputStream() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

bool InputStream::is_ready(int milliseconds) {
  if (gptr() < egptr()) return true;
  pollfd poller = {descriptor_, POLLIN, 0};
  return ::poll(&poller, 1, milliseconds) > 0;
}

InputStream::int_type InputStream::underflow() {
  if (gptr() < egptr()) return traits_type::to_int_type(*gptr());
  // A signal may arrive between the look at `stop_` and a read, which then would wait for ever.
  while (!stop_.load() && !is_ready(kStopCheck)) {
  }
  if (stop_.load()) return traits_type::eof();
  ssize_t count;
  do {
    count = ::read(descriptor_, buffer_.data(), buffer_.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    throw Error(ExitCode::kIo, "cannot read " + name_ + ": " + std::strerror(errno));
  }
  setg(buffer_.data(), buffer_.data(), buffer_.data() + count);
  return count == 0 ? traits_type::eof() : traits_type::to_int_type(buffer_[0]);
}

}  // namespace trivium::cli
