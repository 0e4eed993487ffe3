#include "cli/serve/service.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

#include "cli/batch/batch.h"
#include "cli/serve/api_error.h"
#include "cli/serve/asked_route.h"
#include "cli/serve/request_keys.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostOptions = 1000;  // of a request for scores
constexpr size_t kMostEmbedded = 256;  // texts of a request
// What is done of these before the answers of others grow again.
constexpr size_t kOptionsAtOnce = 32;
constexpr size_t kEmbeddedAtOnce = 8;
constexpr size_t kLongestName = 256;  // bytes of a model's
constexpr const char* kAuto = "auto";
constexpr std::chrono::seconds kBetweenLooks(1);  // at the folder of added tasks

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

ApiError too_many() {
  return {429, "rate_limit_error", "too many requests wait; ask again in a moment"};
}

}  // namespace

Service::Service(LoadedModel model, const LiveOptions& options)
    : model_(std::move(model)),
      latest_(model_),
      shared_latest_(std::make_shared<const LoadedModel>(model_)),
      looked_(std::chrono::steady_clock::now()),
      options_(options),
      name_(folder_name(model_.folder())),
      generator_(latest_.generator()),
      created_(unix_seconds()),
      live_(generator_, routes_of(model_), options) {}

std::shared_ptr<const LoadedModel> Service::model_for(const std::string& task) const {
  const std::lock_guard lock(tasks_);
  const auto now = std::chrono::steady_clock::now();
  const bool is_known = task.empty() || latest_.tasks().has(task);
  if (is_known && now - looked_ < kBetweenLooks) return shared_latest_;
  looked_ = now;
  if (latest_.refresh_tasks()) shared_latest_ = std::make_shared<const LoadedModel>(latest_);
  return shared_latest_;
}

CompletionLimits Service::limits() const {
  CompletionLimits limits;
  limits.positions = model_.config().max_position_embeddings;
  return limits;
}

Json Service::entry_of(const std::string& task) const {
  return {{"id", name_ + ":" + task},
          {"object", "model"},
          {"created", created_},
          {"owned_by", "trivium"}};
}

Json Service::models() const {
  Json list = Json::array({entry_of(kAuto)});
  for (const std::string& name : model_for("")->tasks().names()) list.push_back(entry_of(name));
  return {{"object", "list"}, {"data", list}};
}

Json Service::model(const std::string& id) const {
  const std::string task = task_of(id);
  return entry_of(task.empty() ? kAuto : task);
}

Json Service::tasks() const {
  Json list = Json::array();
  const std::shared_ptr<const LoadedModel> model = model_for("");
  for (const TaskEntry& entry : model->tasks().entries()) {
    list.push_back({{"name", entry.task.name},
                    {"family", entry.task.family},
                    {"metric", entry.task.metric},
                    {"fields", entry.prompt->input_fields()},
                    {"options", entry.prompt->fixed_options()},
                    {"description", entry.description},
                    {"example", entry.example},
                    {"added", model->is_added(std::ssize(list))}});
  }
  return {{"tasks", list}};
}

Json Service::routes() const {
  if (model_.config().routing.num_experts > 1) return to_json(model_.route_dump());
  RouteDump none{.places = {}, .num_experts = 1, .temperature = 1, .tasks = {}};
  for (const TaskEntry& entry : model_.tasks().entries()) {
    none.tasks.push_back({entry.task.name, entry.task.family, {}, {}});
  }
  return to_json(none);
}

ResolvedPrompt Service::resolve(const Json& input, const std::string& task,
                                const Json* route) const {
  const std::shared_ptr<const LoadedModel> model = model_for(task);
  const std::lock_guard lock(templates_);
  ResolvedPrompt resolved = input.is_string() ? model->resolve(task, input.get<std::string>())
                                              : model->resolve_fields(task, input);
  if (route != nullptr) {
    TaskRoute& own = resolved.prompt.route;
    own = changed_route(model->config().routing, model->likely_route(resolved.row), own,
                        route_changes(own, *route));
  }
  return resolved;
}

Json Service::route(const std::string& body, const StillWanted& /*wanted*/) {
  RequestKeys reader(body);
  const Json input = reader.get_input("input");
  const std::string task = reader.get<std::string>("task").value_or("");
  const Json* asked = reader.find("route");
  reader.refuse_others();
  const ResolvedPrompt resolved = resolve(input, task, asked);
  Json facts = route_facts(resolved);
  facts["fits"] = resolved.fits;
  facts["prompt"] = resolved.prompt.text;
  facts["options"] = resolved.options;
  return facts;
}

Json Service::score(const std::string& body, const StillWanted& wanted) {
  RequestKeys reader(body);
  const Json input = reader.get_input("input");
  const std::string task = reader.get<std::string>("task").value_or("");
  const auto given = reader.get<std::vector<std::string>>("options");
  const Json* route = reader.find("route");
  reader.refuse_others();
  const ResolvedPrompt resolved = resolve(input, task, route);
  const std::vector<std::string> options = given.value_or(resolved.options);
  if (options.empty()) throw bad_request("no \"options\", and the task has none of its own");
  if (options.size() > kMostOptions) throw bad_request("more than 1000 \"options\"");
  check_options(resolved.prompt, options);
  OptionScores all;
  run_in_parts(options.size(), kOptionsAtOnce, wanted,
               [&](TextGenerator& generator, size_t begin, size_t end) {
                 const std::vector<std::string> part(options.begin() + static_cast<int64_t>(begin),
                                                     options.begin() + static_cast<int64_t>(end));
                 const OptionScores scores = generator.score({resolved.prompt}, {part}).at(0);
                 all.log_likelihoods.insert(all.log_likelihoods.end(),
                                            scores.log_likelihoods.begin(),
                                            scores.log_likelihoods.end());
                 all.truncated = all.truncated || scores.truncated;
               });
  if (all.log_likelihoods.size() < options.size()) {
    throw ApiError(503, "unavailable_error", "the program ends");
  }
  const auto best = std::max_element(all.log_likelihoods.begin(), all.log_likelihoods.end());
  Json result = {{"best", options[static_cast<size_t>(best - all.log_likelihoods.begin())]},
                 {"options", options},
                 {"log_likelihoods", all.log_likelihoods},
                 {"truncated", all.truncated}};
  result.update(route_facts(resolved));
  return result;
}

void Service::run_in_parts(size_t count, size_t most, const StillWanted& wanted,
                           const PartWork& work) {
  for (size_t begin = 0; begin < count; begin += most) {
    const size_t end = std::min(begin + most, count);
    wanted();
    const bool has_run = live_.run([&](TextGenerator& generator) { work(generator, begin, end); });
    if (!has_run) throw too_many();
  }
}

Json Service::embeddings(const std::string& body, const StillWanted& wanted) {
  RequestKeys reader(body);
  const auto format = reader.get<std::string>("encoding_format").value_or("float");
  if (format != "float" && format != "base64") {
    throw bad_request("\"encoding_format\" must be float or base64");
  }
  const Json* dimensions = reader.find("dimensions");
  if (dimensions != nullptr && *dimensions != model_.config().d_model) {
    throw bad_request("\"dimensions\" can only be " + std::to_string(model_.config().d_model));
  }
  const Json* input = reader.find("input");
  const auto texts =
      input == nullptr
          ? std::nullopt
          : json_as<std::vector<std::string>>(input->is_array() ? *input : Json::array({*input}));
  if (!texts || texts->empty() || texts->size() > kMostEmbedded) {
    throw bad_request("\"input\" must be a text, or a list of up to 256 of them");
  }
  const auto model = reader.get<std::string>("model").value_or("");
  reader.get<std::string>("user");  // whose request it is changes nothing
  reader.refuse_others();
  const std::string task = task_of(model);
  const std::shared_ptr<const LoadedModel> known = model_for(task);
  const int64_t row = task.empty() ? -1 : static_cast<int64_t>(known->tasks().index_of(task));
  std::vector<Prompt> prompts;
  int64_t tokens = 0;
  for (const std::string& text : *texts) {
    prompts.push_back({text, known->route(row)});
    tokens += static_cast<int64_t>(generator_.encode(text).ids.size());
  }
  std::vector<std::vector<float>> vectors;
  run_in_parts(prompts.size(), kEmbeddedAtOnce, wanted,
               [&](TextGenerator& generator, size_t begin, size_t end) {
                 const std::vector<Prompt> part(prompts.begin() + static_cast<int64_t>(begin),
                                                prompts.begin() + static_cast<int64_t>(end));
                 for (std::vector<float>& vector : generator.sentence_vectors(part)) {
                   vectors.push_back(std::move(vector));
                 }
               });
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
  model_for(task)->tasks().index_of(task);
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
  const Json* route = request.route.is_null() ? nullptr : &request.route;
  if (route != nullptr) {  // of skipped prompts too
    const std::shared_ptr<const LoadedModel> model = model_for(task);
    const int64_t row = task.empty() ? -1 : static_cast<int64_t>(model->tasks().index_of(task));
    route_changes(model->route(row), *route);
  }
  std::vector<LiveChoice> choices;
  for (const Json& prompt : request.prompts) {
    LiveChoice choice;
    if (is_blank(prompt)) {
      choice.finish = "skipped";
    } else {
      choice.resolved = resolve(prompt, task, route);
      if (!choice.resolved.fits) choice.finish = "no_task";
      choice.resolved.prompt.prefix = request.prefix;
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
    throw too_many();
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
