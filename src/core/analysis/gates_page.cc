#include "core/analysis/gates_page.h"

#include <cmath>

#include "core/analysis/page.h"
#include "core/analysis/page_assets.h"
#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium {
namespace {

constexpr int64_t kColours = 8;  // of experts, in assets/gates_page.css

void check_maps(const TextGates& text) {
  const auto fail = [&] {
    throw Error(ExitCode::kBadData, "the maps of \"" + text.label + "\" are of different tokens");
  };
  if (text.maps.empty()) fail();
  for (const GateMap& map : text.maps) {
    if (map.stacks.size() != text.maps[0].stacks.size()) fail();
    for (size_t s = 0; s < map.stacks.size(); ++s) {
      if (map.stacks[s].tokens != text.maps[0].stacks[s].tokens ||
          map.stacks[s].experts.size() != text.maps[0].stacks[s].experts.size()) {
        fail();
      }
    }
  }
}

// Probabilities in thousandths: what the page shows.
Json map_json(const GateMap& map) {
  Json stacks = Json::array();
  for (const GateMapStack& stack : map.stacks) {
    Json probabilities = Json::array();
    for (const std::vector<float>& layer : stack.probabilities) {
      Json row = Json::array();
      for (const float p : layer) row.push_back(std::lround(p * 1000));
      probabilities.push_back(std::move(row));
    }
    stacks.push_back({{"name", stack.name},
                      {"experts", stack.experts},
                      {"probabilities", std::move(probabilities)}});
  }
  return {{"task", map.task}, {"stacks", std::move(stacks)}};
}

Json text_json(const TextGates& text) {
  Json tokens = Json::array(), maps = Json::array();
  for (const GateMapStack& stack : text.maps[0].stacks) tokens.push_back(stack.tokens);
  for (const GateMap& map : text.maps) maps.push_back(map_json(map));
  return {{"label", text.label}, {"tokens", std::move(tokens)}, {"maps", std::move(maps)}};
}

// One map as it stands without scripts: the values of the template's stacks.
Json still_map(const GateMap& map) {
  Json stacks = Json::array();
  for (const GateMapStack& stack : map.stacks) {
    Json layers = Json::array();
    for (size_t l = 0; l < stack.experts.size(); ++l) {
      Json tokens = Json::array();
      for (size_t p = 0; p < stack.tokens.size(); ++p) {
        const int64_t expert = stack.experts[l][p];
        tokens.push_back(
            {{"text", stack.tokens[p]}, {"colour", expert % kColours}, {"expert", expert + 1}});
      }
      layers.push_back({{"number", l + 1}, {"tokens", std::move(tokens)}});
    }
    stacks.push_back({{"heading", map.task + ", " + stack.name}, {"layers", std::move(layers)}});
  }
  return stacks;
}

}  // namespace

std::string gates_page(const std::string& title, const std::vector<TextGates>& texts) {
  if (texts.empty()) throw Error(ExitCode::kBadData, "a page of gates needs a text");
  Json data = Json::array();
  for (const TextGates& text : texts) {
    check_maps(text);
    data.push_back(text_json(text));
  }
  const GateMap& first = texts[0].maps[0];
  const std::string summary =
      "A row is a layer; a token's colour and number are the expert that the task's gate gives it, "
      "of " +
      std::to_string(first.num_experts) + ". Point at a token for the gate's probability.";
  const std::string body = fill_template(kGatesPageHtml, {{"stacks", still_map(first)}});
  return whole_page({title, summary, kGatesPageCss, kGatesPageJs, body, data});
}

}  // namespace trivium
