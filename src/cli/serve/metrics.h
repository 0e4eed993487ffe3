// What the server counts, in the text format of Prometheus.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "core/inference/live_generator.h"
#include "core/routes/task_route.h"

namespace trivium::cli {

class Metrics {
 public:
  // A request to `path`, one of the server's own, that was answered with `status`.
  void count_request(const std::string& path, int status, std::chrono::duration<double> took);
  // A prompt that went to `task` ("" for none) along `route`.
  void count_route(const std::string& task, const TaskRoute& route);

  std::string text(const LiveGenerator::Load& load) const;

 private:
  static constexpr std::array<double, 11> kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                      0.5,   1,    2.5,   5,    10};
  struct Latency {
    std::array<int64_t, kSeconds.size()> up_to{};  // requests of at most so many seconds
    int64_t count = 0;
    double sum = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;  // by path and status
  std::map<std::string, Latency> latencies_;                 // by path
  std::map<std::string, int64_t> tasks_;
  std::map<std::pair<std::string, int64_t>, int64_t> experts_;  // by layer ("encoder 4") and expert
};

}  // namespace trivium::cli
