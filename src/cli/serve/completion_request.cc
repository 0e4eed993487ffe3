#include "cli/serve/completion_request.h"

#include <algorithm>
#include <optional>

#include "cli/serve/request_keys.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostStops = 4;
constexpr int kMostLogprobs = 5;

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

void read_sampling(RequestKeys& reader, SearchOptions& search) {
  const auto temperature = reader.get_number("temperature", 0, 1000);
  const auto top_p = reader.get_number("top_p", 1e-6, 1);
  const auto top_k = reader.get_whole("top_k", 0, 1 << 30);
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

void read_search(RequestKeys& reader, const CompletionLimits& limits, SearchOptions& search) {
  const int64_t longest = limits.positions - 1;  // beside the start token
  if (const auto most = reader.get_whole("max_tokens", 1, longest)) {
    search.max_length = *most + 1;
    search.min_length = std::min(search.min_length, search.max_length);
  }
  if (const auto least = reader.get_whole("min_tokens", 0, longest)) {
    search.min_length = *least + 1;
  }
  if (search.min_length > search.max_length) {
    throw bad_request("\"min_tokens\" is more than \"max_tokens\", or than the checkpoint's " +
                      std::to_string(search.max_length - 1));
  }
  if (const auto beams = reader.get_whole("num_beams", 1, limits.beams)) {
    search.num_beams = *beams;
  }
  if (const auto penalty = reader.get_number("repetition_penalty", 0.01, 100)) {
    search.repetition_penalty = *penalty;
  }
  read_sampling(reader, search);
}

void read_logprobs(RequestKeys& reader, CompletionRequest& request) {
  request.logprobs = reader.get_whole("logprobs", 0, kMostLogprobs);
  if (!request.logprobs) return;
  if (request.search.num_beams > 1) {
    throw bad_request(
        "\"logprobs\" are those of greedy search and of sampling; give \"num_beams\": 1");
  }
  request.search.alternatives = *request.logprobs;
}

void read_stream(RequestKeys& reader, CompletionRequest& request) {
  request.streams = reader.get<bool>("stream").value_or(false);
  const Json* given = reader.find("stream_options");
  if (given == nullptr) return;
  RequestKeys options(*given, "\"stream_options\"");
  request.streams_usage = options.get<bool>("include_usage").value_or(false);
  options.refuse_others();
}

void refuse_unsupported(RequestKeys& reader) {
  reader.refuse("suffix", {""});
  reader.refuse("echo", {false}, "; POST /v1/score says how likely given answers are");
  reader.refuse("best_of", {1});
  reader.refuse("presence_penalty", {0, 0.0});
  reader.refuse("frequency_penalty", {0, 0.0});
  reader.refuse("logit_bias", {Json::object()});
  reader.refuse_others();
}

}  // namespace

CompletionRequest parse_completion_request(const std::string& body, const SearchOptions& checkpoint,
                                           const CompletionLimits& limits) {
  RequestKeys reader(body);
  CompletionRequest request;
  request.search = checkpoint;
  request.model = reader.get<std::string>("model").value_or("");
  request.prompts = prompts_of(reader.find("prompt"), limits.prompts);
  if (const Json* route = reader.find("route")) request.route = *route;
  request.prefix = reader.get<std::string>("prefix").value_or("");
  request.stops = stops_of(reader.find("stop"));
  read_stream(reader, request);
  reader.get<std::string>("user");  // whose request it is changes nothing
  read_search(reader, limits, request.search);
  read_logprobs(reader, request);
  request.choices = reader.get_whole("n", 1, static_cast<int64_t>(limits.choices)).value_or(1);
  if (request.choices > 1 && !request.search.sample) {
    throw bad_request("\"n\" above 1 needs sampling, or all would be the same; give a temperature");
  }
  refuse_unsupported(reader);
  return request;
}

size_t find_stop(const std::string& text, const std::vector<std::string>& stops) {
  size_t first = std::string::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  return first;
}

}  // namespace trivium::cli
