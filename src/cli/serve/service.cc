#include "cli/serve/service.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

#include "cli/batch/batch.h"
#include "cli/serve/api_error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostOptions = 1000;  // of a request for scores; each is a row of the batch
constexpr size_t kMostEmbedded = 256;  // texts of a request
constexpr size_t kLongestName = 256;   // bytes of a model's
constexpr const char* kAuto = "auto";

std::vector<const TaskRoute*> routes_of(const LoadedModel& model) {
  std::vector<const TaskRoute*> routes = {&model.route(-1)};
  const auto rows = static_cast<int64_t>(model.tasks().entries().size());
  for (int64_t row = 0; row < rows; ++row) routes.push_back(&model.route(row));
  return routes;
}

std::string folder_name(const std::filesystem::path& folder) {
  const std::filesystem::path whole = std::filesystem::weakly_canonical(folder);
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

// The numbers' bytes, the lowest first, as OpenAI's clients ask for them.
std::string base64_of(const std::vector<float>& numbers) {
  static_assert(std::endian::native == std::endian::little);
  const size_t bytes = numbers.size() * sizeof(float);
  std::string text((bytes + 2) / 3 * 4 + 1, '\0');  // with the zero that OpenSSL puts behind it
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                  reinterpret_cast<const unsigned char*>(numbers.data()), static_cast<int>(bytes));
  text.pop_back();
  return text;
}

Json input_of(const Json& json) {
  Json input = json_get<Json>(json, "input", kRequest);
  if (!input.is_string() && !input.is_object()) throw_json_type_error("input", kRequest, false);
  return input;
}

}  // namespace

Service::Service(LoadedModel model, const LiveOptions& options)
    : model_(std::move(model)),
      options_(options),
      name_(folder_name(model_.folder())),
      created_(unix_seconds()),
      live_(model_.generator(), routes_of(model_), options) {}

CompletionLimits Service::limits() const {
  CompletionLimits limits;
  limits.positions = model_.config().max_position_embeddings;
  return limits;
}

Json Service::models() const {
  Json list = Json::array();
  std::vector<std::string> names = model_.tasks().names();
  names.insert(names.begin(), kAuto);
  for (const std::string& name : names) {
    list.push_back({{"id", name_ + ":" + name},
                    {"object", "model"},
                    {"created", created_},
                    {"owned_by", "trivium"}});
  }
  return {{"object", "list"}, {"data", list}};
}

Json Service::tasks() const {
  Json list = Json::array();
  for (const TaskEntry& entry : model_.tasks().entries()) {
    list.push_back({{"name", entry.task.name},
                    {"family", entry.task.family},
                    {"metric", entry.task.metric},
                    {"fields", entry.prompt->input_fields()},
                    {"options", entry.prompt->fixed_options()},
                    {"description", entry.description},
                    {"example", entry.example}});
  }
  return {{"tasks", list}};
}

Json Service::routes() const { return to_json(model_.route_dump()); }

ResolvedPrompt Service::resolve(const Json& input, const std::string& task) const {
  const std::lock_guard lock(templates_);
  return input.is_string() ? model_.resolve(task, input.get<std::string>())
                           : model_.resolve_fields(task, input);
}

Json Service::route(const std::string& body) const {
  const Json json = parse_request(body);
  const ResolvedPrompt resolved =
      resolve(input_of(json), json_get_or<std::string>(json, "task", kRequest, ""));
  Json facts = route_facts(resolved);
  facts["fits"] = resolved.fits;
  facts["prompt"] = resolved.prompt.text;
  facts["options"] = resolved.options;
  return facts;
}

Json Service::score(const std::string& body) {
  const Json json = parse_request(body);
  const ResolvedPrompt resolved =
      resolve(input_of(json), json_get_or<std::string>(json, "task", kRequest, ""));
  const auto options =
      json_get_or<std::vector<std::string>>(json, "options", kRequest, resolved.options);
  if (options.empty()) throw bad_request("no \"options\", and the task has none of its own");
  if (options.size() > kMostOptions) throw bad_request("more than 1000 \"options\"");
  OptionScores scores;
  live_.run([&](TextGenerator& generator) {
    scores = generator.score({resolved.prompt}, {options}).at(0);
  });
  if (scores.log_likelihoods.empty()) throw ApiError(503, "unavailable_error", "the program ends");
  const auto best = std::max_element(scores.log_likelihoods.begin(), scores.log_likelihoods.end());
  Json result = {{"best", options[static_cast<size_t>(best - scores.log_likelihoods.begin())]},
                 {"options", options},
                 {"log_likelihoods", scores.log_likelihoods},
                 {"truncated", scores.truncated}};
  result.update(route_facts(resolved));
  return result;
}

Json Service::embeddings(const std::string& body) {
  const Json json = parse_request(body);
  const auto format = json_get_or<std::string>(json, "encoding_format", kRequest, "float");
  if (format != "float" && format != "base64") {
    throw bad_request("\"encoding_format\" must be float or base64");
  }
  if (json.contains("dimensions") && !json.at("dimensions").is_null() &&
      json.at("dimensions") != model_.config().d_model) {
    throw bad_request("\"dimensions\" can only be " + std::to_string(model_.config().d_model));
  }
  const Json input = json_get<Json>(json, "input", kRequest);
  const auto texts = json_as<std::vector<std::string>>(input.is_array() ? input : Json{input});
  if (!texts || texts->empty() || texts->size() > kMostEmbedded) {
    throw bad_request("\"input\" must be a text, or a list of up to 256 of them");
  }
  const auto model = json_get_or<std::string>(json, "model", kRequest, "");
  const std::string task = task_of(model);
  const int64_t row = task.empty() ? -1 : static_cast<int64_t>(model_.tasks().index_of(task));
  std::vector<Prompt> prompts;
  int64_t tokens = 0;
  for (const std::string& text : *texts) {
    prompts.push_back({text, model_.route(row)});
    tokens += static_cast<int64_t>(model_.generator().encode(text).ids.size());
  }
  std::vector<std::vector<float>> vectors;
  live_.run([&](TextGenerator& generator) { vectors = generator.sentence_vectors(prompts); });
  Json data = Json::array();
  for (size_t i = 0; i < vectors.size(); ++i) {
    Json vector = format == "float" ? Json(vectors[i]) : Json(base64_of(vectors[i]));
    data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", std::move(vector)}});
  }
  return {{"object", "list"},
          {"data", std::move(data)},
          {"model", model.empty() ? name_ : model},
          {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
}

std::string Service::task_of(const std::string& model) const {
  if (model.size() > kLongestName) {
    throw ApiError(404, "not_found_error", "there is no model of so long a name");
  }
  const size_t colon = model.find(':');
  const std::string before = model.substr(0, colon);
  const std::string task = colon == std::string::npos ? kAuto : model.substr(colon + 1);
  if (!before.empty() && before != name_) {
    throw ApiError(404, "not_found_error",
                   "there is no model \"" + model + "\"; GET /v1/models lists \"" + name_ +
                       ":auto\" and one a task");
  }
  if (task == kAuto || task.empty()) return "";
  model_.tasks().index_of(task);
  return task;
}

std::vector<LiveChoice> Service::ask(const CompletionRequest& request) {
  const std::string task = task_of(request.model);
  const size_t wanted = request.prompts.size() * static_cast<size_t>(request.choices);
  const size_t most = static_cast<size_t>(options_.places) + options_.max_waiting;
  if (wanted > most) {
    throw bad_request("this asks for " + std::to_string(wanted) + " answers; the server takes " +
                      std::to_string(most) + " at once: part the request");
  }
  std::vector<LiveChoice> choices;
  for (const Json& prompt : request.prompts) {
    LiveChoice choice;
    if (is_blank(prompt)) {
      choice.finish = "skipped";
    } else {
      choice.resolved = resolve(prompt, task);
      if (!choice.resolved.fits) choice.finish = "no_task";
    }
    choices.insert(choices.end(), static_cast<size_t>(request.choices), choice);
  }
  for (size_t i = 0; i < choices.size(); ++i) {
    LiveChoice& choice = choices[i];
    if (!choice.finish.empty()) continue;
    const uint64_t draw = i % static_cast<size_t>(request.choices);
    choice.answer = live_.ask(choice.resolved.prompt, request.search, draw);
    if (choice.answer) continue;
    for (const LiveChoice& begun : choices) {
      if (begun.answer) begun.answer->cancel();
    }
    throw ApiError(429, "rate_limit_error", "too many requests wait; ask again in a moment");
  }
  return choices;
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Json route_facts(const ResolvedPrompt& resolved) {
  Json facts = {{"task", nullptr}, {"task_source", name_of(resolved.source)}};
  if (resolved.row >= 0) facts["task"] = resolved.task;
  facts["reason"] = resolved.reason;
  facts["route"] = route_summary(resolved.prompt.route);
  return facts;
}

}  // namespace trivium::cli
