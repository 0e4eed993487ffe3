// Ending a long command by a signal, with what was done so far kept.
#pragma once

#include <atomic>

namespace trivium::cli {

// Set by SIGINT, SIGTERM, SIGQUIT and SIGHUP once watch_stop_signals() was called; a second signal
// ends the program.
const std::atomic<bool>& stop_requested();
void watch_stop_signals();

}  // namespace trivium::cli
