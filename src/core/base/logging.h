// Logging through spdlog to standard error; standard output belongs to results.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

namespace trivium {

enum class Verbosity { kQuiet, kNormal, kDebug };

// Sets up the default logger: plain lines on standard error, colour only on a terminal and only
// where the environment variable NO_COLOR is not set. `clean` is what is made of each message
// first: it may repeat what a file or a user says, and a terminal would act on some of that.
void init_logging(Verbosity verbosity, std::string (*clean)(std::string_view message));

}  // namespace trivium
