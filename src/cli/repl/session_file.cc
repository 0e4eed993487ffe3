#include "cli/repl/session_file.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <set>
#include <string_view>

#include "cli/repl/search_settings.h"
#include "cli/repl/slash_commands.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"

namespace trivium::cli {
namespace {

constexpr int kVersion = 1;
constexpr const char* kVersionKey = "trivium_session";
constexpr size_t kMostExchanges = 10000;
constexpr size_t kMostLineBytes = size_t{4} << 20;
constexpr TaskSource kSources[] = {TaskSource::kNamed, TaskSource::kNearest, TaskSource::kNone};

std::string pin_text(const Pin& pin) {
  return std::string(pin.place.in_decoder ? "decoder." : "encoder.") +
         std::to_string(pin.place.layer + 1) + '=' + std::to_string(pin.expert + 1);
}

Json to_json(const Exchange& exchange) {
  return {{"prompt", exchange.prompt},
          {"task", exchange.task},
          {"task_source", name_of(exchange.source)},
          {"route", trivium::to_json(exchange.route)},
          {"answer", exchange.answer},
          {"score", exchange.score},
          {"settings", search_to_json(exchange.search)}};
}

void refuse_other_keys(const Json& json, std::initializer_list<std::string_view> keys,
                       const std::string& where) {
  if (!json.is_object()) throw Error(ExitCode::kBadData, where + ": is no JSON object");
  for (const auto& [key, value] : json.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      throw Error(ExitCode::kBadData, where + ": unknown key \"" + sanitise(key) + '"');
    }
  }
}

std::vector<std::vector<float>> stack_from(const Json& json, const char* name,
                                           const std::string& where) {
  using Weights = std::vector<std::vector<double>>;
  std::vector<std::vector<float>> stack;
  for (const std::vector<double>& weights : json_get<Weights>(json, name, where)) {
    for (const double weight : weights) {
      if (weight < 0 || weight > 1) {
        throw Error(ExitCode::kBadData, where + ": a route's weights are from 0 to 1");
      }
    }
    stack.emplace_back(weights.begin(), weights.end());
  }
  return stack;
}

// Error kBadData, beginning with `where`, for a task that the model does not know; "" is none.
void check_task(const LoadedModel& model, const std::string& task, const std::string& where) {
  try {
    if (!task.empty()) model.tasks().index_of(task);
  } catch (const Error& e) {
    throw Error(ExitCode::kBadData, where + ": " + e.what());
  }
}

Exchange exchange_from(const Json& json, const Conversation& conversation,
                       const std::string& where) {
  refuse_other_keys(json, {"prompt", "task", "task_source", "route", "answer", "score", "settings"},
                    where);
  Exchange exchange;
  exchange.prompt = json_get<std::string>(json, "prompt", where);
  if (exchange.prompt.empty()) throw Error(ExitCode::kBadData, where + ": the prompt is empty");
  exchange.task = json_get<std::string>(json, "task", where);
  check_task(conversation.model, exchange.task, where);
  exchange.answer = json_get<std::string>(json, "answer", where);
  exchange.score = json_get<double>(json, "score", where);
  const std::string source = json_get<std::string>(json, "task_source", where);
  const auto* found = std::find_if(std::begin(kSources), std::end(kSources),
                                   [&](TaskSource each) { return source == name_of(each); });
  if (found == std::end(kSources)) {
    throw Error(ExitCode::kBadData, where + ": task_source is named, nearest or none");
  }
  exchange.source = *found;
  const Json route = json_get<Json>(json, "route", where);
  refuse_other_keys(route, {"encoder", "decoder"}, where + ": route");
  exchange.route.encoder = stack_from(route, "encoder", where);
  exchange.route.decoder = stack_from(route, "decoder", where);
  const SearchOptions defaults = conversation.model.generator().default_search();
  exchange.search = search_from_json(defaults, json_get<Json>(json, "settings", where), where);
  return exchange;
}

// The first line, which says what is chosen.
void read_head(const Json& json, const Conversation& conversation, const std::string& where,
               StoredSession& session) {
  if (!json.is_object() || !json.contains(kVersionKey)) {
    throw Error(ExitCode::kBadData, where + ": is no session that /save wrote");
  }
  refuse_other_keys(json, {kVersionKey, "task", "settings", "pins"}, where);
  if (json_get<int>(json, kVersionKey, where) != kVersion) {
    throw Error(ExitCode::kBadData, where + ": was written by another version of trivium");
  }
  session.task = json_get<std::string>(json, "task", where);
  session.search = search_from_json(session.search, json_get<Json>(json, "settings", where), where);
  check_task(conversation.model, session.task, where);
  const std::vector<std::string> pins = json_get<std::vector<std::string>>(json, "pins", where);
  try {
    const LoadedModel& model = conversation.model;
    check_length(session.search, model.config());
    for (const std::string& text : pins) {
      const Pin pin = parse_pin(text, model.route(-1));
      std::erase_if(session.pins, [&](const Pin& old) { return old.place == pin.place; });
      session.pins.push_back(pin);
    }
  } catch (const Error& e) {
    throw Error(ExitCode::kBadData, where + ": " + e.what());
  }
}

}  // namespace

std::string session_text(const Conversation& conversation) {
  Json pins = Json::array();
  for (const Pin& pin : conversation.pins) pins.push_back(pin_text(pin));
  std::string text = to_json_line({{kVersionKey, kVersion},
                                   {"task", conversation.task},
                                   {"settings", search_to_json(conversation.search)},
                                   {"pins", pins}}) +
                     '\n';
  for (const Exchange& exchange : conversation.exchanges) {
    text += to_json_line(to_json(exchange)) + '\n';
  }
  return text;
}

StoredSession read_session(const std::filesystem::path& file, const Conversation& conversation) {
  const std::string name = sanitise(file.string());
  if (!std::filesystem::exists(file)) {
    throw Error(ExitCode::kMissingInput, "no file " + name);
  }
  if (!std::filesystem::is_regular_file(file)) {
    throw Error(ExitCode::kUnavailable, name + " is no ordinary file");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error(ExitCode::kIo, "cannot read " + name);
  LineReader reader(stream, name, kMostLineBytes);
  StoredSession session;
  session.search = conversation.model.generator().default_search();
  bool has_head = false;
  while (const std::optional<LineReader::Line> line = reader.next()) {
    const std::string where = reader.place(*line);
    if (line->truncated) throw Error(ExitCode::kBadData, where + ": a line of more than 4 MiB");
    const Json json = parse_json(line->text, where);
    if (!has_head) {
      read_head(json, conversation, where, session);
    } else if (session.exchanges.size() == kMostExchanges) {
      throw Error(ExitCode::kBadData, where + ": more than " + std::to_string(kMostExchanges) +
                                          " exchanges; shorten the file");
    } else {
      session.exchanges.push_back(exchange_from(json, conversation, where));
    }
    has_head = true;
  }
  if (!has_head) throw Error(ExitCode::kBadData, name + ":1: is no session that /save wrote");
  return session;
}

}  // namespace trivium::cli
