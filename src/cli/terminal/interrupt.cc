#include "cli/terminal/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

std::atomic<bool> interrupt_flag{false};
std::atomic<int> wake_descriptor{-1};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may only touch lock-free data");

void on_signal(int signal) {
  const int saved = errno;
  if (signal == SIGINT) interrupt_flag.store(true);
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe has woken the reader already.
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor.load(), &byte, 1);
  errno = saved;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  check(wake_descriptor.load() < 0, "one InterruptWatch at a time");
  if (::pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw Error(ExitCode::kIo, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  wake_descriptor.store(pipe_[1]);
  interrupt_flag.store(false);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
}

InterruptWatch::~InterruptWatch() {
  ::signal(SIGINT, SIG_DFL);
  wake_descriptor.store(-1);
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

const std::atomic<bool>& InterruptWatch::interrupted() const { return interrupt_flag; }

void InterruptWatch::clear() {
  while (next_signal() != 0) {
  }
  interrupt_flag.store(false);
}

int InterruptWatch::next_signal() {
  unsigned char byte = 0;
  return ::read(pipe_[0], &byte, 1) == 1 ? byte : 0;
}

InterruptWatch::Scope::Scope(const std::vector<int>& signals) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (int signal : signals) ::sigaction(signal, &action, &old_[signal]);
}

InterruptWatch::Scope::~Scope() {
  for (const auto& [signal, action] : old_) ::sigaction(signal, &action, nullptr);
}

}  // namespace trivium::cli
