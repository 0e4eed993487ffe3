// What a training run shows and records while it goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/output/progress_bar.h"

namespace trivium::learning {

// A bar with the time left where standard error is a terminal; plain "key=value" lines elsewhere.
class Progress {
 public:
  explicit Progress(int64_t steps);
  // The steps done before this process began.
  void start(int64_t step);
  void add(int64_t examples);
  // The speed is that since the last report.
  void report(int64_t step, double loss);

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(int64_t step) const;

  int64_t steps_;
  cli::ProgressBar bar_;
  int64_t first_step_ = 0, examples_ = 0;
  Clock::time_point start_ = Clock::now(), window_start_ = Clock::now();
};

// Curves as CSV in long form, "step,curve,value": every tool plots it, and curves may come and go.
// Nothing that depends on the clock belongs here: a run repeated, or resumed, gives the same bytes.
class CurveFile {
 public:
  explicit CurveFile(std::filesystem::path path) : path_(std::move(path)) {}
  // Values that are no number (the gradient's norm of a skipped step) are left out.
  void add(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  // Drops the lines after `step`, which a run that goes on from there writes again, and a last line
  // that a crash has cut.
  void truncate_after(int64_t step);

 private:
  std::filesystem::path path_;
};

}  // namespace trivium::learning
