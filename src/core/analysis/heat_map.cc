#include "core/analysis/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/page_assets.h"
#include "core/base/error.h"
#include "core/text/markup.h"

namespace trivium {
namespace {

// Pixels. With 36 columns (12 layers of 3 experts) the picture is some 900 wide, and stands beside
// the page's panel in a window of 1280.
constexpr double kFamilies = 140;  // width of the families' names, and where they end
constexpr double kNames = 316;     // where the tasks' names end
constexpr double kLeft = 326;      // where the cells begin
constexpr double kTop = 62;        // where the rows begin
constexpr double kRow = 17;        // from row to row
constexpr double kCellHeight = 16;
constexpr double kFamilyGap = 6;
constexpr double kLayerGap = 4, kStackGap = 14;
constexpr double kCellsWidth = 572;                       // at most, with the gaps
constexpr double kLegend = 46;                            // height below the rows
constexpr size_t kLongestName = 26, kLongestFamily = 24;  // code points

std::string number(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// The first `longest` code points, and "…" where there are more.
std::string shortened(const std::string& text, size_t longest) {
  size_t points = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++points > longest) return text.substr(0, i) + "…";
  }
  return text;
}

std::string text_at(double x, double y, const char* classes, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" class=\"" + classes + "\">" +
         escape_markup(text) + "</text>";
}

class HeatMap {
 public:
  explicit HeatMap(const RouteDump& dump) : dump_(dump) {
    double gaps = 0;
    for (size_t p = 1; p < dump.places.size(); ++p) gaps += gap_before(p);
    cell_ = std::clamp(std::floor((kCellsWidth - gaps) / static_cast<double>(dump.columns())), 9.0,
                       34.0);
    double x = kLeft;
    for (size_t p = 0; p < dump.places.size(); ++p) {
      if (p > 0) x += gap_before(p);
      lefts_.push_back(x);
      x += layer_width();
    }
    width_ = x + 4;
  }

  std::string draw() const {
    std::string rows;
    double y = kTop;
    for (size_t i = 0; i < dump_.tasks.size(); ++i) {
      const bool new_family = i == 0 || dump_.tasks[i].family != dump_.tasks[i - 1].family;
      if (i > 0 && new_family) y += kFamilyGap;
      rows += row(i, y, new_family);
      y += kRow;
    }
    const std::string height = number(y + kLegend);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"route-map\" role=\"group\" "
           "aria-label=\"Routes: a row a task, a column an expert\" width=\"" +
           number(width_) + "\" height=\"" + height + "\" viewBox=\"0 0 " + number(width_) + ' ' +
           height + "\" data-top=\"" + number(kTop) + "\" data-row=\"" + number(kRow) +
           "\" data-gap=\"" + number(kFamilyGap) + "\">\n<style>\n" + std::string(kHeatMapCss) +
           "</style>\n" + head() + rows + legend(y + 14) + "</svg>\n";
  }

 private:
  bool starts_stack(size_t place) const {
    return place == 0 || dump_.places[place].in_decoder != dump_.places[place - 1].in_decoder;
  }
  double gap_before(size_t place) const { return starts_stack(place) ? kStackGap : kLayerGap; }
  double layer_width() const { return cell_ * static_cast<double>(dump_.num_experts); }
  double cell_left(size_t place, size_t expert) const {
    return lefts_[place] + cell_ * static_cast<double>(expert);
  }

  // The names of stacks, layers and, where there is room, experts.
  std::string head() const {
    std::string text = text_at(kFamilies, kTop - 9, "soft end", "family") +
                       text_at(kNames, kTop - 9, "soft end", "task");
    for (size_t p = 0; p < dump_.places.size(); ++p) {
      const LayerPlace& place = dump_.places[p];
      if (starts_stack(p)) {
        text += text_at(lefts_[p], 16, "stack", place.in_decoder ? "Decoder" : "Encoder");
      }
      const std::string layer = std::to_string(place.layer + 1);
      text += text_at(lefts_[p] + layer_width() / 2, 36, "mid",
                      layer_width() >= 60 ? "layer " + layer : layer);
      for (size_t e = 0; cell_ >= 12 && e < dump_.num_experts; ++e) {
        text += text_at(cell_left(p, e) + cell_ / 2, kTop - 9, "soft mid", std::to_string(e + 1));
      }
    }
    return text + '\n';
  }

  std::string row(size_t index, double y, bool new_family) const {
    const RouteRow& row = dump_.tasks[index];
    std::string text = "<g class=\"row\" data-task=\"" + std::to_string(index) +
                       "\" transform=\"translate(0 " + number(y) + ")\">";
    text += "<text x=\"" + number(kFamilies) + "\" y=\"12\" class=\"family soft end\"" +
            (new_family ? "" : " visibility=\"hidden\"") + ">" +
            escape_markup(shortened(row.family, kLongestFamily)) + "</text>";
    text += text_at(kNames, 12, "name end", shortened(row.task, kLongestName));
    for (size_t p = 0; p < dump_.places.size(); ++p) text += layer(row, p);
    return text + "</g>\n";
  }

  std::string layer(const RouteRow& row, size_t place) const {
    const std::string height = "\" height=\"" + number(kCellHeight);
    std::string text = "<rect class=\"back\" x=\"" + number(lefts_[place]) + "\" width=\"" +
                       number(layer_width()) + height + "\"/>";
    const size_t first = dump_.column(place, 0);
    for (size_t e = 0; e < dump_.num_experts; ++e) {
      const double weight = row.likely[first + e];
      text += "<rect class=\"cell\" data-column=\"" + std::to_string(first + e) + "\" x=\"" +
              number(cell_left(place, e)) + "\" width=\"" + number(cell_) + height +
              "\" fill-opacity=\"" + fmt::format("{:.3f}", weight) + "\"><title>" +
              escape_markup(row.task) + ": " + dump_.column_name(first + e) + ": " +
              fmt::format("{:.4f}", weight) + "</title></rect>";
    }
    const auto begin = row.used.begin() + static_cast<int64_t>(first);
    const auto most = static_cast<size_t>(
        std::max_element(begin, begin + static_cast<int64_t>(dump_.num_experts)) - begin);
    return text + "<circle class=\"used\" cx=\"" + number(cell_left(place, most) + cell_ / 2) +
           "\" cy=\"" + number(kCellHeight / 2) + "\" r=\"2.2\"/>";
  }

  std::string legend(double y) const {
    const std::string top = number(y);
    return "<defs><linearGradient id=\"route-scale\"><stop offset=\"0\" class=\"stop-0\"/><stop "
           "offset=\"1\" class=\"stop-1\"/></linearGradient></defs><g class=\"legend\">" +
           text_at(kNames, y + 10, "soft end", "weight") + text_at(kLeft + 4, y + 10, "soft", "0") +
           "<rect class=\"back\" x=\"" + number(kLeft + 16) + "\" y=\"" + top +
           "\" width=\"120\" height=\"12\"/><rect fill=\"url(#route-scale)\" x=\"" +
           number(kLeft + 16) + "\" y=\"" + top + "\" width=\"120\" height=\"12\"/>" +
           text_at(kLeft + 142, y + 10, "soft", "1") + "<rect class=\"cell\" x=\"" +
           number(kLeft + 176) + "\" y=\"" + top +
           "\" width=\"16\" height=\"12\" fill-opacity=\"0.8\"/><circle class=\"used\" cx=\"" +
           number(kLeft + 184) + "\" cy=\"" + number(y + 6) + "\" r=\"2.2\"/>" +
           text_at(kLeft + 198, y + 10, "soft", "used most") + "</g>\n";
  }

  const RouteDump& dump_;
  double cell_ = 0, width_ = 0;
  std::vector<double> lefts_;  // of the places
};

}  // namespace

std::string heat_map_svg(const RouteDump& dump) {
  check(!dump.places.empty() && dump.num_experts > 0, "a dump has pools");
  return HeatMap(dump).draw();
}

}  // namespace trivium
