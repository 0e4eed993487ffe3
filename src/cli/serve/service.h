// A loaded model as what its HTTP interface talks about: models, tasks, routes, scores, answers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/serve/completion_request.h"
#include "core/base/json.h"
#include "core/inference/live_generator.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {

// One answer of a completion, on its way.
struct LiveChoice {
  ResolvedPrompt resolved;
  std::shared_ptr<LiveAnswer> answer;  // null where there is none to be made
  std::string finish;                  // why: "no_task", or "skipped" for an empty prompt
};

// Asked between two parts of what takes long: throws an ApiError where nobody waits for it any
// longer.
using StillWanted = std::function<void()>;

// All may be called from any thread. ApiErrors name what the asker can do; 429: too many wait.
// Tasks that are added to the checkpoint, or taken away, while it serves come and go with their
// folders.
class Service {
 public:
  Service(LoadedModel model, const LiveOptions& options);

  // "trivium-small": what models are called by, with a task behind a colon.
  const std::string& name() const { return name_; }
  CompletionLimits limits() const;
  SearchOptions default_search() { return generator_.default_search(); }
  const Tokenizer& tokenizer() { return generator_.tokenizer(); }
  LiveGenerator::Load load() const { return live_.load(); }

  // OpenAI's list of models: one a task ("trivium-small:sst2"), and "trivium-small:auto", which
  // finds the task by the prompt.
  Json models() const;
  // The entry of one of them. ApiError 404 where there is none.
  Json model(const std::string& id) const;
  // {"tasks": [{"name", "family", "metric", "fields", "options", "description", "example",
  // "added": whether it was added to the checkpoint}]}
  Json tasks() const;
  // The route of every task that the checkpoint was trained on, as `routes show --json` has it;
  // that of a dense model has no places.
  Json routes() const;
  // Of {"input", "task"?, "route"?}: {"task", "task_source", "fits", "reason", "prompt", "options",
  // "route"}.
  Json route(const std::string& body, const StillWanted& wanted);
  // Of {"input", "options"?, "task"?, "route"?}: {"best", "options", "log_likelihoods", ...} as
  // `score` gives.
  Json score(const std::string& body, const StillWanted& wanted);

  // OpenAI's embeddings of {"input": TEXT or [TEXT...], "model"?, "encoding_format"?}: the
  // encoder's sentence vectors, along the route of the model's task, or that of no task.
  Json embeddings(const std::string& body, const StillWanted& wanted);

  // Asks for `choices` answers of each prompt, in that order. ApiError 404 for an unknown model.
  std::vector<LiveChoice> ask(const CompletionRequest& request);

 private:
  // The model with the tasks of now, as they stay while the caller has it. The folder is looked at
  // once a second at most, and at once for a task that is not known so far.
  std::shared_ptr<const LoadedModel> model_for(const std::string& task) const;
  // The task that a model's name asks for; "" for the nearest known.
  std::string task_of(const std::string& model) const;
  // `route`, where there is one, is what the request asks for in place of the task's own.
  ResolvedPrompt resolve(const Json& input, const std::string& task, const Json* route) const;
  Json entry_of(const std::string& task) const;
  // Runs `work` on up to `most` things at a time, as LiveGenerator::run.
  using PartWork = std::function<void(TextGenerator& generator, size_t begin, size_t end)>;
  void run_in_parts(size_t count, size_t most, const StillWanted& wanted, const PartWork& work);

  const LoadedModel model_;   // with the tasks of the beginning
  mutable std::mutex tasks_;  // of the next three
  mutable LoadedModel latest_;
  mutable std::shared_ptr<const LoadedModel> shared_latest_;  // a copy
  mutable std::chrono::steady_clock::time_point looked_;
  LiveOptions options_;
  std::string name_;
  TextGenerator& generator_;      // the model's
  int64_t created_;               // when the program began, in seconds of Unix time
  mutable std::mutex templates_;  // rendering a template is not for two threads at once
  LiveGenerator live_;
};

// The time now in seconds of Unix time.
int64_t unix_seconds();

// {"task", "task_source", "reason", "route"}: what answers say besides OpenAI's keys.
Json route_facts(const ResolvedPrompt& resolved);

}  // namespace trivium::cli
