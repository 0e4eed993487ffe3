// What is logged while a test runs.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace trivium {

// Takes the default logger's place, debug lines included, as long as it lives.
class LogLines {
 public:
  // `on_line`, where given, is called with the number of each line, from 1.
  explicit LogLines(std::function<void(size_t)> on_line = {})
      : sink_(std::make_shared<Sink>()), before_(spdlog::default_logger()) {
    sink_->on_line = std::move(on_line);
    const auto logger = std::make_shared<spdlog::logger>("test", sink_);
    logger->set_level(spdlog::level::debug);
    spdlog::set_default_logger(logger);
  }
  ~LogLines() { spdlog::set_default_logger(before_); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  std::vector<std::string> with(const std::string& part) const {
    std::vector<std::string> found;
    for (const std::string& line : sink_->lines) {
      if (line.find(part) != std::string::npos) found.push_back(line);
    }
    return found;
  }

 private:
  struct Sink : spdlog::sinks::base_sink<std::mutex> {
    std::vector<std::string> lines;
    std::function<void(size_t)> on_line;

   protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
      lines.emplace_back(message.payload.data(), message.payload.size());
      if (on_line) on_line(lines.size());
    }
    void flush_() override {}
  };

  std::shared_ptr<Sink> sink_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace trivium
