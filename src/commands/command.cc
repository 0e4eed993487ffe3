#include "commands/command.h"

#include <csignal>
#include <cstdlib>

namespace trivium {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may only touch lock-free data");

void on_stop_signal(int signal) {
  stop.store(true);
  std::signal(signal, SIG_DFL);
}

}  // namespace

std::filesystem::path home_folder() {
  const char* home = std::getenv("TRIVIUM_HOME");
  return home != nullptr && *home != '\0' ? home : TRIVIUM_SOURCE_DIR;
}

std::string default_checkpoint() {
  return (home_folder() / "checkpoints" / "trivium-small").string();
}

const std::atomic<bool>& stop_requested() { return stop; }

void watch_stop_signals() {
  std::signal(SIGINT, on_stop_signal);
  std::signal(SIGTERM, on_stop_signal);
}

}  // namespace trivium
