#include "learning/training/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"
#include "core/base/timing.h"

namespace trivium::learning {
namespace {

constexpr const char* kCurveHeader = "step,curve,value\n";

}  // namespace

Progress::Progress(int64_t steps) : steps_(steps), bar_(std::max<int64_t>(1, steps)) {}

void Progress::start(int64_t step) {
  first_step_ = step;
  start_ = window_start_ = Clock::now();
}

void Progress::add(int64_t examples) { examples_ += examples; }

std::string Progress::time_left(int64_t step) const {
  const double per_step =
      seconds_since(start_) / static_cast<double>(std::max<int64_t>(1, step - first_step_));
  const auto seconds = static_cast<int64_t>(per_step * static_cast<double>(steps_ - step));
  char text[32];
  std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
                static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
  return text;
}

void Progress::report(int64_t step, double loss) {
  const double speed =
      static_cast<double>(examples_) / std::max(1e-9, seconds_since(window_start_));
  const std::string numbers = fmt::format("step={}/{} loss={:.4f} examples/s={:.1f} left={}", step,
                                          steps_, loss, speed, time_left(step));
  bar_.report(step, numbers);
  if (step == steps_) bar_.keep();
  examples_ = 0;
  window_start_ = Clock::now();
}

void CurveFile::add(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  std::filesystem::create_directories(path_.parent_path());
  const bool is_new = !std::filesystem::exists(path_);
  std::ofstream out(path_, std::ios::app);
  if (is_new) out << kCurveHeader;
  for (const auto& [curve, value] : values) {
    if (std::isfinite(value)) out << step << ',' << curve << ',' << value << '\n';
  }
  out.flush();
  if (!out) throw Error(ExitCode::kIo, "cannot write " + path_.string());
}

void CurveFile::truncate_after(int64_t step) {
  if (!std::filesystem::exists(path_)) return;
  std::istringstream in(read_file(path_));
  std::string kept = kCurveHeader, line;
  std::getline(in, line);                        // the header
  while (std::getline(in, line) && !in.eof()) {  // a whole line does not reach the end
    if (std::atoll(line.c_str()) <= step) kept += line + "\n";
  }
  write_file_atomically(path_, kept);
}

}  // namespace trivium::learning
