// A task's relative gain as a bar, in text and as SVG.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/evaluation/arg.h"
#include "core/text/markup.h"
#include "core/text/table.h"

namespace trivium {
namespace {

// Gains beyond this are drawn as long as this: a base near 0 would flatten all other bars.
constexpr double kLongestGain = 1.0;

double drawn(double gain) { return std::clamp(gain, -kLongestGain, kLongestGain); }

// The longest bar drawn, so that small gains are seen.
double scale_of(const RelativeGain& gain) {
  double scale = 0.01;
  for (const TaskGain& task : gain.tasks) scale = std::max(scale, std::abs(drawn(task.gain)));
  return scale;
}

std::vector<TaskGain> by_gain(const RelativeGain& gain) {
  std::vector<TaskGain> tasks = gain.tasks;
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const TaskGain& a, const TaskGain& b) { return a.gain > b.gain; });
  return tasks;
}

std::string percent(double share) { return fmt::format("{:+.1f} %", 100 * share); }

std::string summary(const RelativeGain& gain) {
  return fmt::format(
      "ARG of {} over {}: {} [{}, {}], {} of {} tasks below the base; median {} of {} tasks",
      gain.method, gain.base, percent(gain.mean), percent(gain.interval.low),
      percent(gain.interval.high), gain.negative(), gain.tasks.size(), percent(gain.median),
      gain.tasks.size() + gain.below_floor.size());
}

// The mean and the median leave out different tasks: how many each, and which.
std::string left_out_of_both(const RelativeGain& gain) {
  std::vector<std::string> low;
  for (const TaskGain& task : gain.below_floor) low.push_back(task.task);
  std::string text;
  if (!low.empty()) {
    text += fmt::format("left out of the mean, whose base is below {}: {} ({})\n", kArgFloor,
                        low.size(), fmt::join(low, ", "));
  }
  if (!gain.without_base.empty()) {
    text += fmt::format("left out of mean and median, whose base has no score above 0: {} ({})\n",
                        gain.without_base.size(), fmt::join(gain.without_base, ", "));
  }
  return text;
}

std::string left_out(const char* why, const std::vector<std::string>& tasks) {
  return tasks.empty() ? "" : fmt::format("left out, {}: {}\n", why, fmt::join(tasks, ", "));
}

}  // namespace

std::string gain_text(const RelativeGain& gain) {
  constexpr int kHalf = 20;
  const double scale = scale_of(gain);
  Table table({{"task"},
               {gain.method, Align::kRight},
               {gain.base, Align::kRight},
               {"gain", Align::kRight},
               {""}});
  for (const TaskGain& task : by_gain(gain)) {
    const auto length = static_cast<int>(std::lround(kHalf * std::abs(drawn(task.gain)) / scale));
    const std::string bar(static_cast<size_t>(length), task.gain < 0 ? '-' : '+');
    table.add(
        {task.task, fmt::format("{:.4f}", task.method), fmt::format("{:.4f}", task.base),
         percent(task.gain),
         fmt::format("{:>{}}|{}", task.gain < 0 ? bar : "", kHalf, task.gain < 0 ? "" : bar)});
  }
  return table.to_text() + summary(gain) + "\n" + left_out_of_both(gain) +
         left_out("without a score of the base", gain.only_method) +
         left_out("without a score of the method", gain.only_base);
}

std::string gain_svg(const RelativeGain& gain) {
  constexpr int kRow = 18, kTop = 30, kNames = 210, kHalf = 220, kNumbers = 80;
  constexpr int kAxis = kNames + kHalf, kWidth = kAxis + kHalf + kNumbers;
  const double scale = scale_of(gain);
  const auto height = kTop + kRow * static_cast<int>(gain.tasks.size()) + 10;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n<text x=\"8\" y=\"18\">{2}</text>\n",
      kWidth, height, escape_markup(summary(gain)));
  int y = kTop;
  for (const TaskGain& task : by_gain(gain)) {
    const double length = kHalf * std::abs(drawn(task.gain)) / scale;
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n"
        "<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n"
        "<text x=\"{}\" y=\"{}\">{}</text>\n",
        kNames - 6, y + 13, escape_markup(task.task), task.gain < 0 ? kAxis - length : kAxis, y + 3,
        length, kRow - 6, task.gain < 0 ? "#b2182b" : "#2166ac", kAxis + kHalf + 6, y + 13,
        percent(task.gain));
    y += kRow;
  }
  return svg + fmt::format(
                   "<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\" stroke=\"black\"/>\n</svg>\n",
                   kAxis, kTop, y);
}

}  // namespace trivium
