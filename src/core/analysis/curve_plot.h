// The curves that a training wrote, as a picture.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace trivium {

struct Curve {
  std::string name;                               // "loss"
  std::vector<std::pair<double, double>> points;  // step and value, in the file's order
};

// A training's curves, in the order in which they appear.
struct RunCurves {
  std::string name;
  std::vector<Curve> curves;
};

// Reads metrics.csv (docs/training.md): lines "step,curve,value" below a header. What is no finite
// number is left out. Error kMissingInput where the file cannot be read, kBadData with its line for
// one of another form, and for one without a curve.
RunCurves read_curves(const std::filesystem::path& file, const std::string& name);

// A panel a curve, with a line for each run that has it: whole SVG, light and dark. `only`: these
// curves, in this order; empty: all. Error kUsage for one that no run has.
std::string curves_svg(const std::vector<RunCurves>& runs, const std::vector<std::string>& only);

}  // namespace trivium
