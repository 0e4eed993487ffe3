#include "cli/repl/search_settings.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <type_traits>
#include <variant>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

// One setting of the search. The bounds are inclusive; whole numbers are checked as such.
struct SearchSetting {
  const char* name;
  std::variant<int*, double*, bool*, uint64_t*> value;
  double min, max;
  const char* help;
};

std::vector<SearchSetting> settings_of(SearchOptions& search) {
  return {{"num_beams", &search.num_beams, 1, 64, "beams; 1 streams the likeliest word by word"},
          {"max_length", &search.max_length, 2, 4096, "longest answer, in tokens"},
          {"sample", &search.sample, 0, 1, "draw each token by its probability: true or false"},
          {"temperature", &search.temperature, 1e-3, 1e3,
           "with sample: below 1 keeps nearer to the likeliest, above 1 strays further"},
          {"top_k", &search.top_k, 0, 1e9, "with sample: only the k likeliest tokens; 0: all"},
          {"top_p", &search.top_p, 1e-6, 1, "with sample: only the likeliest tokens of this mass"},
          {"seed", &search.seed, 0, 1e15, "with sample: of the random numbers"}};
}

std::string shown(const SearchSetting& setting) {
  std::ostringstream text;
  std::visit([&](auto* value) { text << std::boolalpha << *value; }, setting.value);
  return text.str();
}

std::optional<double> parse_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void store(const SearchSetting& setting, const std::string& text) {
  if (bool* const* flag = std::get_if<bool*>(&setting.value)) {
    if (text != "true" && text != "false") {
      throw Error(ExitCode::kUsage, std::string(setting.name) + " is true or false");
    }
    **flag = text == "true";
    return;
  }
  const bool whole = !std::holds_alternative<double*>(setting.value);
  const std::optional<double> number = parse_number(text);
  if (!number || !(*number >= setting.min && *number <= setting.max) ||
      (whole && *number != static_cast<double>(static_cast<int64_t>(*number)))) {
    std::ostringstream message;
    message.precision(16);
    message << setting.name << " is a" << (whole ? " whole" : "") << " number from " << setting.min
            << " to " << setting.max;
    throw Error(ExitCode::kUsage, message.str());
  }
  std::visit(
      [&](auto* value) { *value = static_cast<std::remove_pointer_t<decltype(value)>>(*number); },
      setting.value);
}

}  // namespace

std::vector<std::string> setting_names() {
  SearchOptions search;
  std::vector<std::string> names;
  for (const SearchSetting& setting : settings_of(search)) names.emplace_back(setting.name);
  return names;
}

void change_search(SearchOptions& search, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string name = assignment.substr(0, equals);
  if (equals == std::string::npos) {
    throw Error(ExitCode::kUsage, sanitise(assignment) + ": write KEY=VALUE, as num_beams=4");
  }
  for (const SearchSetting& setting : settings_of(search)) {
    if (name != setting.name) continue;
    store(setting, assignment.substr(equals + 1));
    if (name == "num_beams" && search.num_beams > 1) search.sample = false;
    if (name == "sample" && search.sample) search.num_beams = 1;
    return;
  }
  throw Error(ExitCode::kUsage, "unknown setting " + sanitise(name) + " (/set lists them)" +
                                    name_hint(name, setting_names()));
}

void check_length(const SearchOptions& search, const ModelConfig& config) {
  if (search.max_length <= config.max_position_embeddings) return;
  throw Error(ExitCode::kUsage, "max_length is at most the model's " +
                                    std::to_string(config.max_position_embeddings) + " positions");
}

std::string search_text(SearchOptions search, const TerminalStyle& style) {
  std::string text;
  for (const SearchSetting& setting : settings_of(search)) {
    text += pad(std::string(setting.name) + '=' + shown(setting), 20) +
            paint(setting.help, Ink::kDim, style) + '\n';
  }
  return text;
}

Json search_to_json(SearchOptions search) {
  Json json = Json::object();
  for (const SearchSetting& setting : settings_of(search)) {
    std::visit([&](auto* value) { json[setting.name] = *value; }, setting.value);
  }
  return json;
}

SearchOptions search_from_json(SearchOptions search, const Json& json, const std::string& where) {
  if (!json.is_object()) throw Error(ExitCode::kBadData, where + ": settings are an object");
  try {
    for (const auto& [name, value] : json.items()) {
      if (!value.is_boolean() && !value.is_number()) {
        throw Error(ExitCode::kUsage, name + " is a number, true or false");
      }
      const std::vector<SearchSetting> settings = settings_of(search);
      const auto found = std::find_if(settings.begin(), settings.end(),
                                      [&](const auto& setting) { return name == setting.name; });
      if (found == settings.end()) {
        throw Error(ExitCode::kUsage,
                    "unknown setting " + sanitise(name) + name_hint(name, setting_names()));
      }
      store(*found, value.dump());
    }
    if (search.sample && search.num_beams > 1) {
      throw Error(ExitCode::kUsage, "sample=true goes with num_beams=1 only");
    }
  } catch (const Error& e) {
    throw Error(ExitCode::kBadData, where + ": " + e.what());
  }
  return search;
}

}  // namespace trivium::cli
