#include "cli/output/output.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <mutex>
#include <utility>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostHeld = size_t{64} << 10;

std::once_flag broken_pipe_chosen;

void obey(BrokenPipe choice) {
  std::signal(SIGPIPE, choice == BrokenPipe::kEndsQuietly ? SIG_DFL : SIG_IGN);
}

[[noreturn]] void throw_io(int error) {
  throw Error(ExitCode::kIo, std::string("cannot write standard output: ") + std::strerror(error));
}

// 0, or the number of the error that kept the rest of `text` from being written.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

}  // namespace

void choose_broken_pipe(BrokenPipe choice) {
  std::call_once(broken_pipe_chosen, [] {});  // the default comes too late from now on
  obey(choice);
}

void write_output(std::string_view text) {
  std::call_once(broken_pipe_chosen, obey, BrokenPipe::kIsAnError);
  errno = 0;
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw_io(errno != 0 ? errno : EIO);
  }
  if (const int error = write_all(STDOUT_FILENO, text); error != 0) throw_io(error);
}

void write_aside(std::string_view text) { write_all(STDERR_FILENO, text); }

OutputStream::OutputStream() : std::ostream(nullptr) {
  rdbuf(&buffer_);
  exceptions(std::ios::badbit);  // passes the buffer's Error on
}

OutputStream::Buffer::int_type OutputStream::Buffer::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  const char byte = traits_type::to_char_type(c);
  xsputn(&byte, 1);
  return c;
}

std::streamsize OutputStream::Buffer::xsputn(const char* text, std::streamsize count) {
  held_.append(text, static_cast<size_t>(count));
  if (held_.size() >= kMostHeld) sync();
  return count;
}

int OutputStream::Buffer::sync() {
  write_output(std::exchange(held_, {}));
  return 0;
}

}  // namespace trivium::cli
