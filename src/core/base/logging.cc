#include "core/base/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>

namespace trivium {

void init_logging(Verbosity verbosity) {
  const auto mode =
      std::getenv("NO_COLOR") ? spdlog::color_mode::never : spdlog::color_mode::automatic;
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(mode);
  auto logger = std::make_shared<spdlog::logger>("trivium", sink);
  logger->set_pattern("%H:%M:%S %^%l%$ %v");
  logger->set_level(verbosity == Verbosity::kQuiet   ? spdlog::level::warn
                    : verbosity == Verbosity::kDebug ? spdlog::level::debug
                                                     : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace trivium
