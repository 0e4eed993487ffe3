#include "core/base/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace trivium {
namespace {

using Clean = std::string (*)(std::string_view message);

// Lines of one pattern whose messages were cleaned.
class CleanFormatter : public spdlog::formatter {
 public:
  explicit CleanFormatter(Clean clean) : clean_(clean) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const std::string text = clean_({message.payload.data(), message.payload.size()});
    spdlog::details::log_msg cleaned = message;
    cleaned.payload = text;
    pattern_.format(cleaned, line);
    message.color_range_start = cleaned.color_range_start;
    message.color_range_end = cleaned.color_range_end;
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<CleanFormatter>(clean_);
  }

 private:
  Clean clean_;
  spdlog::pattern_formatter pattern_{"%H:%M:%S %^%l%$ %v"};
};

}  // namespace

void init_logging(Verbosity verbosity, std::string (*clean)(std::string_view message)) {
  const auto mode =
      std::getenv("NO_COLOR") ? spdlog::color_mode::never : spdlog::color_mode::automatic;
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(mode);
  auto logger = std::make_shared<spdlog::logger>("trivium", sink);
  logger->set_formatter(std::make_unique<CleanFormatter>(clean));
  logger->set_level(verbosity == Verbosity::kQuiet   ? spdlog::level::warn
                    : verbosity == Verbosity::kDebug ? spdlog::level::debug
                                                     : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace trivium
