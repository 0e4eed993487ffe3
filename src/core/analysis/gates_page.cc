#include "core/analysis/gates_page.h"

#include <cmath>

#include "core/analysis/heat_map.h"
#include "core/analysis/routes_page.h"
#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium {
namespace {

// Okabe and Ito's colours, told apart by people who see colours otherwise, light enough for black
// text; the number of the expert stands at each token too.
constexpr const char* kStyle = R"css(
  :root { --ink: #1f2430; --muted: #5d6676; --paper: #fff; --card: #f6f8fa; --rule: #d5dbe3; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6e9ef; --muted: #98a2b3; --paper: #0d1117; --card: #161b22; --rule: #2f3742; }
  }
  * { box-sizing: border-box; }
  body { margin: 0 auto; padding: 20px 24px 40px; max-width: 1280px; color: var(--ink);
    background: var(--paper); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
    "Helvetica Neue", sans-serif; }
  h1 { margin: 0; font-size: 22px; line-height: 1.25; overflow-wrap: anywhere; }
  header p { margin: 4px 0 14px; color: var(--muted); }
  .tools { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; margin-bottom: 12px; }
  select { font: inherit; color: inherit; background: var(--card); border-radius: 6px;
    border: 1px solid var(--rule); padding: 4px 8px; max-width: min(60ch, 100%); }
  label { max-width: 100%; }
  select:focus-visible { outline: 2px solid #0b5cad; outline-offset: 1px; }
  section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
    padding: 12px 16px; margin-bottom: 16px; }
  h2 { margin: 0 0 8px; font-size: 16px; }
  h2 small { font-weight: 400; color: var(--muted); }
  .layer { display: grid; grid-template-columns: 9ch minmax(0, 1fr); gap: 8px; padding: 3px 0;
    border-top: 1px solid var(--rule); align-items: baseline; }
  .layer > b { font-weight: 400; color: var(--muted); white-space: nowrap; }
  .t { display: inline-block; margin: 1px 3px 3px 0; padding: 0 4px; border-radius: 4px;
    color: #14171c; white-space: pre; }
  .t sub { margin-left: 3px; font-size: 10px; opacity: .75; }
  .t.differs { outline: 2px solid var(--ink); outline-offset: -1px; }
  .e0 { background: #8cc8f0; } .e1 { background: #f3c66b; } .e2 { background: #7fd6b4; }
  .e3 { background: #eba9d0; } .e4 { background: #f4ee8d; } .e5 { background: #f0a37f; }
  .e6 { background: #a9b7f2; } .e7 { background: #cfd4da; }
  .key { display: flex; flex-wrap: wrap; gap: 4px 10px; color: var(--muted); }
  @media print { .tools { display: none; } }
)css";

constexpr const char* kScript = R"js(
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const select = (id) => document.getElementById(id);
  const text = select("text"), a = select("a"), b = select("b"), maps = select("maps");
  const option = (list, label, value) => {
    const o = document.createElement("option");
    o.textContent = label;
    o.value = value;
    list.append(o);
  };
  data.forEach((t, i) => option(text, t.label, i));
  const fillTasks = () => {
    const names = data[text.value].maps.map((m) => m.task);
    for (const [list, first] of [[a, 0], [b, names.length > 1 ? 1 : -1]]) {
      const old = list.value;
      list.replaceChildren();
      if (list === b) option(list, "none", -1);
      names.forEach((name, i) => option(list, name, i));
      list.value = names.length > old && old !== "" ? old : first;
    }
  };
  const element = (name, className, content) => {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (content !== undefined) e.textContent = content;
    return e;
  };
  const draw = () => {
    const t = data[text.value];
    const first = t.maps[a.value], second = b.value >= 0 ? t.maps[b.value] : null;
    maps.replaceChildren();
    for (const [map, other] of second ? [[first, second], [second, first]] : [[first, null]]) {
      map.stacks.forEach((stack, s) => {
        const box = element("section");
        const head = element("h2", "", map.task + ", " + stack.name);
        if (other) {
          let differing = 0, all = 0;
          stack.experts.forEach((row, l) => row.forEach((e, p) => {
            ++all;
            differing += e !== other.stacks[s].experts[l][p];
          }));
          head.append(element("small", "", " – " + differing + " of " + all +
            " choices differ from " + other.task + " (outlined)"));
        }
        box.append(head);
        stack.experts.forEach((row, l) => {
          const line = element("div", "layer");
          line.append(element("b", "", "layer " + (l + 1)));
          const tokens = element("div");
          row.forEach((e, p) => {
            const token = element("span", "t e" + (e % 8), t.tokens[s][p]);
            token.append(element("sub", "", e + 1));
            token.title = "expert " + (e + 1) + ", probability " +
              (stack.probabilities[l][p] / 1000).toFixed(3);
            if (other && other.stacks[s].experts[l][p] !== e) token.classList.add("differs");
            tokens.append(token);
          });
          line.append(tokens);
          box.append(line);
        });
        maps.append(box);
      });
    }
  };
  text.addEventListener("change", () => { fillTasks(); draw(); });
  a.addEventListener("change", draw);
  b.addEventListener("change", draw);
  fillTasks();
  draw();
})();
)js";

constexpr const char* kToolbar = R"html(<form class="tools" aria-label="View">
  <label>Text <select id="text"></select></label>
  <label>Gates of <select id="a"></select></label>
  <label>beside those of <select id="b"></select></label>
</form>
)html";

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

// One map as it stands without scripts.
std::string map_markup(const GateMap& map) {
  std::string html;
  for (const GateMapStack& stack : map.stacks) {
    html += "<section><h2>" + escape_markup(map.task + ", " + stack.name) + "</h2>\n";
    for (size_t l = 0; l < stack.experts.size(); ++l) {
      html += "<div class=\"layer\"><b>layer " + std::to_string(l + 1) + "</b><div>";
      for (size_t p = 0; p < stack.tokens.size(); ++p) {
        const int64_t expert = stack.experts[l][p];
        html += "<span class=\"t e" + std::to_string(expert % 8) + "\">" +
                escape_markup(stack.tokens[p]) + "<sub>" + std::to_string(expert + 1) +
                "</sub></span>";
      }
      html += "</div></div>\n";
    }
    html += "</section>\n";
  }
  return html;
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
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
         escape_markup(title) + "</title>\n<style>\n" + kStyle +
         "</style>\n</head>\n<body>\n<header><h1>" + escape_markup(title) + "</h1>\n<p>" + summary +
         "</p></header>\n" + kToolbar + "<main id=\"maps\">\n" + map_markup(first) +
         "</main>\n<script type=\"application/json\" id=\"data\">" + script_json(data) +
         "</script>\n<script>\n" + kScript + "</script>\n</body>\n</html>\n";
}

}  // namespace trivium
