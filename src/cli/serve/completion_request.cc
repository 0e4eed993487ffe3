#include "cli/serve/completion_request.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cli/serve/api_error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostStops = 4;
constexpr size_t kLongestKey = 80;  // bytes of a key that a message repeats

// Keys that would change the answer, and the values under which they do not.
struct FixedKey {
  const char* key;
  std::vector<Json> harmless;
};

const std::vector<FixedKey>& fixed_keys() {
  static const std::vector<FixedKey> keys = {
      {"suffix", {nullptr, ""}},
      {"echo", {nullptr, false}},
      {"logprobs", {nullptr, false}},
      {"best_of", {nullptr, 1}},
      {"presence_penalty", {nullptr, 0, 0.0}},
      {"frequency_penalty", {nullptr, 0, 0.0}},
      {"logit_bias", {nullptr, Json::object()}},
  };
  return keys;
}

class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  // The value of `key`; nothing where it is missing or null.
  template <typename T>
  std::optional<T> get(const char* key) {
    known_.insert(key);
    if (!json_.contains(key) || json_.at(key).is_null()) return {};
    return json_get<T>(json_, key, kRequest);
  }

  template <typename T>
  std::optional<T> get_within(const char* key, T low, T high) {
    const std::optional<T> value = get<T>(key);
    if (value && !(*value >= low && *value <= high)) {
      throw bad_request("\"" + std::string(key) + "\" must be from " + Json(low).dump() + " to " +
                        Json(high).dump());
    }
    return value;
  }

  const Json* find(const char* key) {
    known_.insert(key);
    return json_.contains(key) && !json_.at(key).is_null() ? &json_.at(key) : nullptr;
  }

  void refuse_others() {
    for (const FixedKey& fixed : fixed_keys()) {
      known_.insert(fixed.key);
      if (!json_.contains(fixed.key)) continue;
      const auto& harmless = fixed.harmless;
      if (std::find(harmless.begin(), harmless.end(), json_.at(fixed.key)) == harmless.end()) {
        throw bad_request("\"" + std::string(fixed.key) + "\" is not supported; leave it out");
      }
    }
    for (const auto& [key, value] : json_.items()) {
      if (known_.contains(key)) continue;
      if (key.size() > kLongestKey) throw bad_request("unknown key of more than 80 bytes");
      throw bad_request("unknown key " + to_json_line(key) +
                        did_you_mean(key, {known_.begin(), known_.end()}));
    }
  }

 private:
  const Json& json_;
  std::set<std::string> known_;
};

std::vector<Json> prompts_of(const Json* prompt, size_t most) {
  if (prompt == nullptr) throw bad_request("\"prompt\" is missing");
  const std::vector<Json> prompts =
      prompt->is_array() ? prompt->get<std::vector<Json>>() : std::vector<Json>{*prompt};
  const bool is_good = std::all_of(prompts.begin(), prompts.end(), [](const Json& one) {
    return one.is_string() || one.is_object();
  });
  if (!is_good) {
    throw bad_request(
        "\"prompt\" must be a text, an object of the task's fields, or a list of those; token ids "
        "are not supported");
  }
  if (prompts.empty() || prompts.size() > most) {
    throw bad_request("\"prompt\" must have from 1 to " + std::to_string(most) + " texts");
  }
  return prompts;
}

std::vector<std::string> stops_of(const Json* stop) {
  if (stop == nullptr) return {};
  const auto stops =
      stop->is_string()
          ? std::vector{stop->get<std::string>()}
          : json_as<std::vector<std::string>>(*stop).value_or(std::vector<std::string>{""});
  const bool any_empty = std::find(stops.begin(), stops.end(), "") != stops.end();
  if (any_empty || stops.size() > kMostStops) {
    throw bad_request("\"stop\" must be a text, or up to 4 of them, none empty");
  }
  return stops;
}

void read_search(Reader& reader, const CompletionLimits& limits, SearchOptions& search) {
  const auto longest = static_cast<int>(limits.positions);
  // The start token counts among them.
  if (const auto most = reader.get_within<int>("max_tokens", 1, longest - 1)) {
    search.max_length = *most + 1;
    search.min_length = std::min(search.min_length, search.max_length);
  }
  if (const auto least = reader.get_within<int>("min_tokens", 0, longest - 1)) {
    search.min_length = *least + 1;
  }
  if (search.min_length > search.max_length) {
    throw bad_request("\"min_tokens\" is more than \"max_tokens\", or than the checkpoint's " +
                      std::to_string(search.max_length - 1));
  }
  if (const auto beams = reader.get_within<int>("num_beams", 1, limits.beams)) {
    search.num_beams = *beams;
  }
  if (const auto penalty = reader.get_within<double>("repetition_penalty", 0.01, 100)) {
    search.repetition_penalty = *penalty;
  }
  const auto temperature = reader.get_within<double>("temperature", 0, 1000);
  const auto top_p = reader.get_within<double>("top_p", 1e-6, 1);
  const auto top_k = reader.get_within<int>("top_k", 0, 1 << 30);
  const auto seed = reader.get<int64_t>("seed");
  search.sample = temperature ? *temperature > 0 : top_p.value_or(1) < 1 || top_k.value_or(0) > 0;
  if (!search.sample) return;
  if (reader.find("num_beams") != nullptr && search.num_beams > 1) {
    throw bad_request("sampling goes without beams; leave \"num_beams\" out, or \"temperature\"");
  }
  search.num_beams = 1;
  search.temperature = std::max(temperature.value_or(1), 1e-3);
  search.top_p = top_p.value_or(1);
  search.top_k = top_k.value_or(0);
  search.seed = static_cast<uint64_t>(seed.value_or(0));
}

}  // namespace

Json parse_request(const std::string& body) {
  Json json = parse_json(body, kRequest);
  if (!json.is_object()) throw bad_request("the request is not a JSON object");
  return json;
}

CompletionRequest parse_completion_request(const std::string& body, const SearchOptions& checkpoint,
                                           const CompletionLimits& limits) {
  const Json json = parse_request(body);
  Reader reader(json);
  CompletionRequest request;
  request.search = checkpoint;
  request.model = reader.get<std::string>("model").value_or("");
  request.prompts = prompts_of(reader.find("prompt"), limits.prompts);
  request.stops = stops_of(reader.find("stop"));
  request.streams = reader.get<bool>("stream").value_or(false);
  if (const Json* options = reader.find("stream_options")) {
    request.streams_usage = json_get_or<bool>(*options, "include_usage", kRequest, false);
  }
  reader.get<std::string>("user");  // whose request it is changes nothing
  read_search(reader, limits, request.search);
  const auto most = static_cast<int>(limits.choices);
  request.choices = reader.get_within<int>("n", 1, most).value_or(1);
  if (request.choices > 1 && !request.search.sample) {
    throw bad_request("\"n\" above 1 needs sampling, or all would be the same; give a temperature");
  }
  reader.refuse_others();
  return request;
}

size_t find_stop(const std::string& text, const std::vector<std::string>& stops) {
  size_t first = std::string::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  return first;
}

}  // namespace trivium::cli
