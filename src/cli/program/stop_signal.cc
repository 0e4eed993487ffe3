#include "cli/program/stop_signal.h"

#include <csignal>

namespace trivium::cli {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may only touch lock-free data");

void on_stop_signal(int signal) {
  stop.store(true);
  std::signal(signal, SIG_DFL);
}

}  // namespace

const std::atomic<bool>& stop_requested() { return stop; }

void watch_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
    // What was told to ignore hang-ups (nohup) goes on ignoring them.
    if (std::signal(signal, on_stop_signal) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

}  // namespace trivium::cli
