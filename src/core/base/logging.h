// Logging through spdlog to standard error; standard output belongs to results.
#pragma once

#include <spdlog/spdlog.h>

namespace trivium {

enum class Verbosity { kQuiet, kNormal, kDebug };

// Sets up the default logger: plain lines on standard error, colour only on a terminal and only
// where the environment variable NO_COLOR is not set.
void init_logging(Verbosity verbosity);

}  // namespace trivium
