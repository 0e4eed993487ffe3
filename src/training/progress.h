// What a training run shows and records while it goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace trivium {

// A bar with the time left where standard error is a terminal; plain "key=value" lines elsewhere.
class Progress {
 public:
  explicit Progress(int64_t steps);
  void start(int64_t step);
  void add(int64_t step, int64_t examples, double loss);
  void report();

  // Over the steps since the last report.
  double mean_loss() const { return steps_in_window_ > 0 ? loss_sum_ / steps_in_window_ : 0; }
  double examples_per_second() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left() const;

  int64_t steps_;
  bool terminal_;
  int64_t first_step_ = 0, step_ = 0, steps_in_window_ = 0, examples_in_window_ = 0;
  double loss_sum_ = 0;
  Clock::time_point start_ = Clock::now(), window_start_ = Clock::now();
};

// Curves as CSV in long form, "step,curve,value": every tool plots it, and curves may come and go.
class CurveFile {
 public:
  explicit CurveFile(std::filesystem::path path) : path_(std::move(path)) {}
  void add(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  // Drops the lines after `step`: a resumed run writes them again.
  void truncate_after(int64_t step);

 private:
  std::filesystem::path path_;
};

}  // namespace trivium
