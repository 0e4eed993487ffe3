// A checkpoint that is ready to answer, and the way from what a user gives to a prompt with a
// route.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/checkpoint/added_task.h"
#include "core/checkpoint/checkpoint.h"
#include "core/data/task_catalog.h"
#include "core/data/task_finder.h"
#include "core/inference/text_generator.h"
#include "core/routes/route_dump.h"
#include "core/routes/task_route.h"

namespace trivium {

// How a prompt came to its task.
enum class TaskSource {
  kNamed,    // the user named it
  kNearest,  // the known task whose texts are nearest to the prompt's
  kNone,     // the checkpoint knows no tasks (a dense model that was only imported or pretrained)
};

// "named", "nearest" or "none".
const char* name_of(TaskSource source);

// What a user's prompt became.
struct ResolvedPrompt {
  int64_t row = -1;  // of the catalog and of the model's task vectors; -1: none
  std::string task;  // its name; "" for none
  TaskSource source = TaskSource::kNone;
  bool fits = true;                  // false: even the nearest task's family is not like the prompt
  std::string reason;                // one sentence for people: why this task
  Prompt prompt;                     // the input as the model reads it, and the task's route
  std::vector<std::string> options;  // the answers that the task knows; empty when open
};

// A copy shares the engine, and knows what the original knew when it was copied.
class LoadedModel {
 public:
  // `engine` computes the model of `open`, which was opened from `folder`.
  LoadedModel(const std::filesystem::path& folder, const OpenCheckpoint& open,
              std::shared_ptr<Engine> engine, const GeneratorOptions& options = {});
  // The checkpoint on an engine of its own. Errors as open_checkpoint and make_engine.
  LoadedModel(const std::filesystem::path& folder, const EngineOptions& engine,
              const GeneratorOptions& options = {});

  const std::filesystem::path& folder() const { return folder_; }
  const ModelConfig& config() const { return generator_->config(); }
  TextGenerator& generator() { return *generator_; }
  // The tasks that it was trained on, and behind them those that were added.
  const TaskCatalog& tasks() const { return tasks_; }
  // Whether a row of the catalog is a task that was added.
  bool is_added(int64_t row) const { return row >= trained_rows_; }
  // Why the added tasks of these names cannot be used.
  const std::map<std::string, std::string>& unusable_tasks() const { return added_.problems(); }
  // Looks at the checkpoint again for tasks that were added or taken away meanwhile, and returns
  // whether there are others than before.
  bool refresh_tasks();
  // Nothing where the checkpoint knows no tasks.
  const std::optional<TaskFinder>& finder() const { return finder_; }

  // The route of a row of the catalog; -1 gives the route of a prompt without a task. A dense
  // model's layers have one expert each.
  const TaskRoute& route(int64_t row) const;
  // How likely the task takes each expert: ModelRoutes::likely, the route itself for a dense model.
  const TaskRoute& likely_route(int64_t row) const;
  // The routes of all tasks that it was trained on. Error kUsage for a dense model.
  RouteDump route_dump() const;

  // `task` "" stands for the nearest known task; where the text names the fields of some, the
  // nearest of those. Error kMissingInput with the nearest names for an
  // unknown task. The text is put into the task's first template: as its only field; or, where the
  // template has several and the text has the form "premise: ... hypothesis: ...", taken apart. A
  // text that fits neither way, or that has the template's words already, is taken as it is.
  ResolvedPrompt resolve(const std::string& task, const std::string& text) const;
  // The same for a record of fields, strings or lists of strings. Error kBadData where a field that
  // the template needs is missing; without a task the fields' texts choose the nearest.
  ResolvedPrompt resolve_fields(const std::string& task, const Json& fields) const;

 private:
  ResolvedPrompt choose_task(const std::string& task, const std::string& text) const;
  // The tasks whose several fields the text names ("premise: ... hypothesis: ..."), the likeliest
  // first; none where it names none.
  std::vector<TaskGuess> guesses_by_fields(const std::string& text) const;
  void refuse_without_row(const std::string& text) const;
  int64_t row_of(const std::string& task) const;
  void take_tasks();

  std::filesystem::path folder_;
  LoadedModel(const std::filesystem::path& folder, const OpenCheckpoint& open,
              const EngineOptions& engine, const GeneratorOptions& options);
  TaskCatalog trained_tasks_, tasks_;
  int64_t trained_rows_ = 0;
  std::shared_ptr<TextGenerator> generator_;
  std::optional<TaskFinder> finder_;
  std::optional<ModelRoutes> all_routes_;
  AddedTasks added_;
  std::vector<TaskRoute> routes_, likely_;  // of the catalog's rows, in order
  TaskRoute no_task_;
};

}  // namespace trivium
