#include "cli/repl/gate_picture.h"

#include <algorithm>

namespace trivium::cli {
namespace {

constexpr size_t kTokenColumns = 20;
constexpr size_t kLayerColumns = 4;

std::string right(const std::string& text, size_t columns) {
  const size_t width = display_width(text);
  return std::string(columns > width ? columns - width : 0, ' ') + text;
}

void draw(const GateMapStack& stack, size_t begin, size_t end, const TerminalStyle& style,
          std::string& out) {
  std::string head = pad(stack.name + " layer", kTokenColumns);
  for (size_t l = begin; l < end; ++l) head += right(std::to_string(l + 1), kLayerColumns);
  out += paint(head, Ink::kDim, style) + '\n';
  for (size_t t = 0; t < stack.tokens.size(); ++t) {
    out += pad(cut(sanitise(stack.tokens[t]), kTokenColumns - 1, style), kTokenColumns);
    for (size_t l = begin; l < end; ++l) {
      const std::string expert = right(std::to_string(stack.experts[l][t] + 1), kLayerColumns);
      // A token that changes its expert from the layer before stands out.
      const bool changes = l > 0 && stack.experts[l][t] != stack.experts[l - 1][t];
      out += paint(expert, changes ? Ink::kAccent : Ink::kPlain, style);
    }
    out += '\n';
  }
}

}  // namespace

std::string gate_picture(const GateMap& map, const TerminalStyle& style) {
  const size_t room = style.width > kTokenColumns ? style.width - kTokenColumns : 0;
  const size_t layers = std::max<size_t>(1, room / kLayerColumns);
  std::string out;
  for (const GateMapStack& stack : map.stacks) {
    for (size_t begin = 0; begin < stack.experts.size(); begin += layers) {
      if (!out.empty()) out += '\n';
      draw(stack, begin, std::min(stack.experts.size(), begin + layers), style, out);
    }
  }
  return out;
}

}  // namespace trivium::cli
