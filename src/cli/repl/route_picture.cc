#include "cli/repl/route_picture.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <set>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr size_t kLabel = 9;         // columns of "expert 1 "
constexpr size_t kCell = 5;          // columns of one layer
constexpr size_t kGap = 3;           // between the stacks
constexpr size_t kAllRows = 8;       // with more experts, rows without weight are left out
constexpr float kNoWeight = 0.005f;  // shown as none

struct Signs {
  const char *full, *much, *some, *little, *none, *ordinary, *mark, *rule, *separator;
};
constexpr Signs kBlocks = {"███", "▓▓▓", "▒▒▒", "░░░", "·", "│", "▲", "─", "→"};
constexpr Signs kAscii = {"###", "%%%", "+++", "---", ".", "|", "^", "-", "->"};

const Signs& signs_of(const TerminalStyle& style) { return style.utf8 ? kBlocks : kAscii; }

// A part of a stack that stands in one panel, and a panel: what stands side by side.
struct Group {
  std::string title;
  std::vector<LayerPlace> places;
  size_t columns() const { return std::max(kCell * places.size(), display_width(title) + 1); }
};
using Panel = std::vector<Group>;

std::vector<Panel> panels_that_fit(const TaskRoute& route, const TerminalStyle& style) {
  Group encoder{"encoder", {}}, decoder{"decoder", {}};
  for (const LayerPlace& place : places_of(route)) {
    (place.in_decoder ? decoder : encoder).places.push_back(place);
  }
  if (kLabel + encoder.columns() + kGap + decoder.columns() <= style.width) {
    return {{encoder, decoder}};
  }
  const size_t room = std::max<size_t>(1, (std::max(style.width, kLabel) - kLabel) / kCell);
  std::vector<Panel> panels;
  for (const Group& stack : {encoder, decoder}) {
    for (size_t begin = 0; begin < stack.places.size(); begin += room) {
      const size_t end = std::min(stack.places.size(), begin + room);
      Group part{stack.title, {}};
      part.places.assign(stack.places.begin() + static_cast<int64_t>(begin),
                         stack.places.begin() + static_cast<int64_t>(end));
      panels.push_back({part});
    }
  }
  return panels;
}

struct Cell {
  std::string text;
  Ink ink = Ink::kPlain;
};

// `text` in the middle of a layer's column.
std::string centred(const Cell& cell, const TerminalStyle& style) {
  const size_t spare = kCell - std::min(kCell, display_width(cell.text));
  return std::string(spare / 2, ' ') + paint(cell.text, cell.ink, style) +
         std::string(spare - spare / 2, ' ');
}

std::string without_trailing_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string draw_row(const std::string& label, const Panel& panel, const TerminalStyle& style,
                     const std::function<Cell(const LayerPlace&)>& cell_at) {
  std::string line = pad(label, kLabel);
  for (const Group& group : panel) {
    if (&group != &panel.front()) line.append(kGap, ' ');
    for (const LayerPlace& place : group.places) line += centred(cell_at(place), style);
    line.append(group.columns() - kCell * group.places.size(), ' ');
  }
  return without_trailing_spaces(line);
}

std::string draw_heading(const Panel& panel, const TerminalStyle& style) {
  std::string titles(kLabel, ' ');
  for (const Group& group : panel) {
    if (&group != &panel.front()) titles.append(kGap, ' ');
    titles += paint(group.title, Ink::kBold, style);
    std::string rule;
    const size_t used = group.title.size();
    for (size_t i = used + 1; i < group.columns(); ++i) rule += signs_of(style).rule;
    titles += ' ' + paint(rule, Ink::kDim, style);
  }
  return without_trailing_spaces(titles) +
         draw_row("layer", panel, style, [](const LayerPlace& place) {
           return Cell{std::to_string(place.layer + 1), Ink::kPlain};
         });
}

Cell expert_cell(const std::vector<float>& weights, size_t expert, const Signs& signs) {
  if (weights.size() == 1) return {signs.ordinary, Ink::kDim};
  if (expert >= weights.size()) return {};  // another layer's pool has more
  const float weight = weights[expert];
  if (weight < kNoWeight) return {signs.none, Ink::kDim};
  const bool is_main = TaskRoute::main_expert(weights) == static_cast<int64_t>(expert);
  const char* block = weight >= 0.75f   ? signs.full
                      : weight >= 0.5f  ? signs.much
                      : weight >= 0.25f ? signs.some
                                        : signs.little;
  return {block, is_main ? Ink::kAccent : Ink::kPlain};
}

Cell weight_cell(const std::vector<float>& weights) {
  if (weights.size() == 1) return {"", Ink::kPlain};
  const float weight = weights[static_cast<size_t>(TaskRoute::main_expert(weights))];
  return {std::to_string(std::lround(weight * 100)) + '%', Ink::kPlain};
}

std::vector<size_t> experts_shown(const std::vector<const TaskRoute*>& routes) {
  std::set<size_t> shown;
  for (const TaskRoute* route : routes) {
    const bool all = num_experts(*route) <= kAllRows;
    for (const LayerPlace& place : places_of(*route)) {
      const std::vector<float>& weights = weights_at(*route, place);
      for (size_t e = 0; weights.size() > 1 && e < weights.size(); ++e) {
        if (all || weights[e] >= kNoWeight) shown.insert(e);
      }
    }
  }
  return {shown.begin(), shown.end()};
}

// The rows of the experts and of the weight that the largest of each layer has.
std::string draw_route(const TaskRoute& route, const std::vector<size_t>& experts,
                       const Panel& panel, const TerminalStyle& style) {
  std::string text;
  for (size_t expert : experts) {
    text += draw_row("expert " + std::to_string(expert + 1), panel, style,
                     [&](const LayerPlace& place) {
                       return expert_cell(weights_at(route, place), expert, signs_of(style));
                     });
  }
  return text + draw_row("weight", panel, style, [&](const LayerPlace& place) {
           return weight_cell(weights_at(route, place));
         });
}

// A row of marks below the layers of the panel that are among `marked`; "" where none is.
std::string draw_marks(const std::string& label, const std::vector<LayerPlace>& marked,
                       const Panel& panel, const TerminalStyle& style) {
  bool any = false;
  const std::string row = draw_row(label, panel, style, [&](const LayerPlace& place) {
    if (std::find(marked.begin(), marked.end(), place) == marked.end()) return Cell{};
    any = true;
    return Cell{signs_of(style).mark, Ink::kWarning};
  });
  return any ? row : "";
}

std::string names_of(const std::vector<LayerPlace>& places) {
  std::string text;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool same_stack = i > 0 && places[i].in_decoder == places[i - 1].in_decoder;
    if (i > 0) text += ", ";
    text += same_stack ? std::to_string(places[i].layer + 1) : name_of(places[i]);
  }
  return text;
}

std::string layer_in_words(const std::vector<float>& weights) {
  std::vector<size_t> order(weights.size());
  for (size_t e = 0; e < order.size(); ++e) order[e] = e;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return weights[a] > weights[b]; });
  std::string text;
  for (size_t expert : order) {
    if (!text.empty() && weights[expert] < kNoWeight) break;
    char share[16];
    std::snprintf(share, sizeof share, " (%.2f)", static_cast<double>(weights[expert]));
    text += (text.empty() ? "takes expert " : ", ") + std::to_string(expert + 1) + share;
  }
  return text;
}

std::string stack_in_words(const std::string& name, const std::vector<std::vector<float>>& stack) {
  std::string text, ordinary;
  for (size_t l = 0; l < stack.size(); ++l) {
    const std::string number = std::to_string(l + 1);
    if (stack[l].size() == 1) {
      ordinary += (ordinary.empty() ? "" : ", ") + number;
    } else {
      text += (text.empty() ? " layer " : "; layer ") + number + ' ' + layer_in_words(stack[l]);
    }
  }
  if (!ordinary.empty()) text += (text.empty() ? " " : "; ") + ("without a choice: " + ordinary);
  return name + ':' + text + '.';
}

}  // namespace

size_t num_experts(const TaskRoute& route) {
  size_t experts = 1;
  for (const LayerPlace& place : places_of(route)) {
    experts = std::max(experts, weights_at(route, place).size());
  }
  return experts;
}

std::vector<LayerPlace> differing_layers(const TaskRoute& a, const TaskRoute& b) {
  check(a.encoder.size() == b.encoder.size() && a.decoder.size() == b.decoder.size(),
        "the routes are of one model");
  std::vector<LayerPlace> places;
  for (const LayerPlace& place : places_of(a)) {
    const std::vector<float>&of_a = weights_at(a, place), &of_b = weights_at(b, place);
    // The own experts of two tasks bear the same number.
    const bool own = takes_own(a, place) && takes_own(b, place) && a.own != b.own;
    if (own || TaskRoute::main_expert(of_a) != TaskRoute::main_expert(of_b)) {
      places.push_back(place);
    }
  }
  return places;
}

TaskRoute pinned_route(TaskRoute route, const std::vector<Pin>& pins) {
  for (const Pin& pin : pins) {
    std::vector<float>& weights = weights_at(route, pin.place);
    if (pin.expert >= weights.size()) {
      throw Error(ExitCode::kUsage, name_of(pin.place) + " has no expert " +
                                        std::to_string(pin.expert + 1) +
                                        " for this task, and it is pinned: /pin off");
    }
    std::fill(weights.begin(), weights.end(), 0.0f);
    weights[pin.expert] = 1.0f;
  }
  return route;
}

std::string route_picture(const TaskRoute& route, const std::vector<Pin>& pins,
                          const TerminalStyle& style) {
  std::vector<LayerPlace> pinned;
  for (const Pin& pin : pins) pinned.push_back(pin.place);
  const std::vector<size_t> experts = experts_shown({&route});
  std::string text;
  for (const Panel& panel : panels_that_fit(route, style)) {
    text += draw_heading(panel, style) + draw_route(route, experts, panel, style) +
            draw_marks("pinned", pinned, panel, style);
  }
  return text;
}

std::string route_legend(const TaskRoute& route, const TerminalStyle& style) {
  const Signs& signs = signs_of(style);
  bool soft = false, ordinary = false;
  for (const LayerPlace& place : places_of(route)) {
    const std::vector<float>& weights = weights_at(route, place);
    ordinary = ordinary || weights.size() == 1;
    soft = soft || *std::max_element(weights.begin(), weights.end()) < 1 - kNoWeight;
  }
  std::string text = "prompt " + std::string(signs.separator) + " encoder " + signs.separator +
                     (route.head ? " head " : " decoder ") + signs.separator +
                     " answer; in each layer the task takes " + signs.full + " and leaves " +
                     signs.none;
  if (soft) {
    text += std::string("; with ") + signs.much + ", " + signs.some + " and " + signs.little +
            " it takes a share of several";
  }
  if (ordinary) text += std::string("; ") + signs.ordinary + " is a layer without a choice";
  if (route.head) text += "; the decoder has no part in the answer";
  return wrap(text + '.', style) + '\n';
}

std::string route_in_words(const TaskRoute& route, const TerminalStyle& style) {
  const std::string last =
      route.head ? "head: answers by the text's sentence vector; the decoder has no part."
                 : stack_in_words("decoder", route.decoder);
  return wrap(stack_in_words("encoder", route.encoder), style, 2) + '\n' + wrap(last, style, 2) +
         '\n';
}

std::string route_comparison(const std::string& name_a, const TaskRoute& a,
                             const std::string& name_b, const TaskRoute& b,
                             const TerminalStyle& style) {
  const std::vector<LayerPlace> different = differing_layers(a, b);
  const std::vector<size_t> experts = experts_shown({&a, &b});
  std::string text;
  for (const Panel& panel : panels_that_fit(a, style)) {
    text += draw_heading(panel, style) + paint(name_a, Ink::kBold, style) + '\n' +
            draw_route(a, experts, panel, style) + paint(name_b, Ink::kBold, style) + '\n' +
            draw_route(b, experts, panel, style) + draw_marks("differ", different, panel, style);
  }
  size_t pools = 0;
  for (const LayerPlace& place : places_of(a)) {
    pools += weights_at(a, place).size() > 1 || weights_at(b, place).size() > 1;
  }
  const std::string summary =
      different.empty()
          ? "They take the same expert in all " + std::to_string(pools) + " layers with a choice."
          : "They take different experts in " + std::to_string(different.size()) + " of " +
                std::to_string(pools) + " layers: " + names_of(different) + '.';
  return text + wrap(summary, style, 2) + '\n';
}

}  // namespace trivium::cli
