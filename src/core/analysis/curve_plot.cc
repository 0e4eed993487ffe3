#include "core/analysis/curve_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/text/markup.h"

namespace trivium {
namespace {

// Pixels of a panel, and of the frame that its lines are drawn in.
constexpr double kPanelWidth = 440, kPanelHeight = 210;
constexpr double kFrameLeft = 66, kFrameRight = 424, kFrameTop = 34, kFrameBottom = 180;
constexpr size_t kPanelColumns = 2;
constexpr double kLegendRow = 18;
constexpr size_t kMostPoints = 800;  // of a line; more would not be seen
constexpr size_t kLineColours = 6;   // of the runs, in turn

constexpr const char* kPlotStyle =
    "<style>text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600}.faint{fill:#666}"
    ".frame{fill:none;stroke:#ccc}.line{fill:none;stroke-width:1.5}"
    ".c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#cc79a7}"
    ".c4{stroke:#e69f00}.c5{stroke:#56b4e9}.back{fill:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.faint{fill:#999}.frame{stroke:#555}"
    ".back{fill:#181818}}</style>";

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // Never of width 0, so that a curve that stays the same lies in the middle.
  void widen() {
    if (high > low) return;
    const double room = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= room;
    high += room;
  }
  // Halves, since the difference of two numbers may be infinite.
  double share(double value) const { return (value / 2 - low / 2) / (high / 2 - low / 2); }
};

const Curve* find_curve(const RunCurves& run, const std::string& name) {
  const auto found = std::find_if(run.curves.begin(), run.curves.end(),
                                  [&](const Curve& curve) { return curve.name == name; });
  return found == run.curves.end() || found->points.empty() ? nullptr : &*found;
}

std::vector<std::string> names_of(const std::vector<RunCurves>& runs) {
  std::vector<std::string> names;
  for (const RunCurves& run : runs) {
    for (const Curve& curve : run.curves) {
      const bool is_new = std::find(names.begin(), names.end(), curve.name) == names.end();
      if (is_new && !curve.points.empty()) names.push_back(curve.name);
    }
  }
  return names;
}

std::string text_at(double x, double y, const char* classes, const char* anchor,
                    const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\" text-anchor=\"{}\">{}</text>", x,
                     y, classes, anchor, escape_markup(text));
}

class Panel {
 public:
  Panel(const std::vector<RunCurves>& runs, const std::string& name, double x, double y)
      : runs_(runs), name_(name), x_(x), y_(y) {
    for (const RunCurves& run : runs) {
      const Curve* curve = find_curve(run, name);
      if (curve == nullptr) continue;
      for (const auto& [step, value] : curve->points) {
        steps_.add(step);
        values_.add(value);
      }
    }
    steps_.widen();
    values_.widen();
  }

  std::string draw() const {
    std::string svg = text_at(x_ + kFrameLeft, y_ + kFrameTop - 10, "title", "start", name_);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"frame\"/>",
        x_ + kFrameLeft, y_ + kFrameTop, kFrameRight - kFrameLeft, kFrameBottom - kFrameTop);
    svg += text_at(x_ + kFrameLeft - 6, y_ + kFrameTop + 10, "faint", "end",
                   fmt::format("{:.3g}", values_.high));
    svg += text_at(x_ + kFrameLeft - 6, y_ + kFrameBottom, "faint", "end",
                   fmt::format("{:.3g}", values_.low));
    svg += text_at(x_ + kFrameLeft, y_ + kFrameBottom + 16, "faint", "start",
                   fmt::format("{:g}", steps_.low));
    svg += text_at(x_ + kFrameRight, y_ + kFrameBottom + 16, "faint", "end",
                   fmt::format("step {:g}", steps_.high));
    for (size_t i = 0; i < runs_.size(); ++i) {
      if (const Curve* curve = find_curve(runs_[i], name_)) svg += line(*curve, i);
    }
    return svg;
  }

 private:
  std::string line(const Curve& curve, size_t run) const {
    const size_t stride = 1 + curve.points.size() / kMostPoints;
    std::string points;
    for (size_t i = 0; i < curve.points.size(); ++i) {
      if (i % stride != 0 && i + 1 != curve.points.size()) continue;
      const auto& [step, value] = curve.points[i];
      points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ",
                            x_ + kFrameLeft + steps_.share(step) * (kFrameRight - kFrameLeft),
                            y_ + kFrameBottom - values_.share(value) * (kFrameBottom - kFrameTop));
    }
    return fmt::format(
        "<polyline class=\"line c{}\" points=\"{}\"><title>{}: last {:.6g}</title></polyline>",
        run % kLineColours, points, escape_markup(runs_[run].name), curve.points.back().second);
  }

  const std::vector<RunCurves>& runs_;
  const std::string& name_;
  double x_, y_;
  Range steps_, values_;
};

}  // namespace

RunCurves read_curves(const std::filesystem::path& file, const std::string& name) {
  const std::vector<std::string> lines = split(read_file(file), '\n');
  RunCurves run{name, {}};
  const auto refuse = [&](size_t line, const std::string& problem) {
    throw Error(ExitCode::kBadData, file.string() + ":" + std::to_string(line + 1) + ": " +
                                        problem +
                                        "; a training's metrics.csv has lines step,curve,value");
  };
  if (trim(lines.at(0)) != "step,curve,value") refuse(0, "not the curves of a training");
  for (size_t i = 1; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    const std::vector<std::string> cells = split(std::string(trim(lines[i])), ',');
    const auto step = number_of(cells[0]);
    const auto value = cells.size() == 3 ? number_of(cells[2]) : std::nullopt;
    if (!step || !value || cells[1].empty()) refuse(i, "not step,curve,value");
    auto curve = std::find_if(run.curves.begin(), run.curves.end(),
                              [&](const Curve& known) { return known.name == cells[1]; });
    if (curve == run.curves.end()) curve = run.curves.insert(curve, {cells[1], {}});
    if (std::isfinite(*step) && std::isfinite(*value)) curve->points.emplace_back(*step, *value);
  }
  if (names_of({run}).empty()) {
    throw Error(ExitCode::kBadData, file.string() + " has no curve to draw yet");
  }
  return run;
}

std::string curves_svg(const std::vector<RunCurves>& runs, const std::vector<std::string>& only) {
  const std::vector<std::string> known = names_of(runs);
  for (const std::string& name : only) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(ExitCode::kUsage, "there is no curve \"" + name + "\"" + name_hint(name, known));
    }
  }
  const std::vector<std::string>& names = only.empty() ? known : only;
  const double legend = runs.size() > 1 ? kLegendRow * static_cast<double>(runs.size()) + 6 : 0;
  std::string body;
  for (size_t i = 0; runs.size() > 1 && i < runs.size(); ++i) {
    const double y = kLegendRow * static_cast<double>(i + 1);
    body += fmt::format("<path class=\"line c{}\" d=\"M{:.1f} {:.1f}h24\"/>", i % kLineColours,
                        kFrameLeft, y - 4);
    body += text_at(kFrameLeft + 32, y, "faint", "start", runs[i].name);
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const size_t row = i / kPanelColumns, column = i % kPanelColumns;
    body += Panel(runs, names[i], static_cast<double>(column) * kPanelWidth,
                  legend + static_cast<double>(row) * kPanelHeight)
                .draw();
  }
  const double width = kPanelWidth * static_cast<double>(std::min(kPanelColumns, names.size()));
  const double height =
      legend + kPanelHeight * std::ceil(static_cast<double>(names.size()) / kPanelColumns);
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"Curves of a "
             "training\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 {0:g} {1:g}\">",
             width, height) +
         kPlotStyle + "<rect class=\"back\" width=\"100%\" height=\"100%\"/>" + body + "</svg>\n";
}

}  // namespace trivium
