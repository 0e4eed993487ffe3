#include "core/inference/loaded_model.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/prompt_filling.h"

namespace trivium {
namespace {

// A record's texts one after the other, for finding its task.
std::string joined_texts(const Json& fields) {
  std::string text;
  for (const auto& [name, value] : fields.items()) {
    for (const Json& part : value.is_array() ? value : Json::array({value})) {
      if (!part.is_string()) continue;
      if (!text.empty()) text += ' ';
      text += part.get<std::string>();
    }
  }
  return text;
}

void fill(ResolvedPrompt& resolved, const TaskEntry& entry, const Json& fields) {
  resolved.prompt.text = entry.prompt->render_input(fields);
  resolved.options = entry.prompt->options_of(entry.task, {fields, "prompt"});
}

}  // namespace

const char* name_of(TaskSource source) {
  switch (source) {
    case TaskSource::kNamed:
      return "named";
    case TaskSource::kNearest:
      return "nearest";
    case TaskSource::kNone:
      break;
  }
  return "none";
}

LoadedModel::LoadedModel(const std::filesystem::path& folder, const OpenCheckpoint& open,
                         std::shared_ptr<Engine> engine, const GeneratorOptions& options)
    : folder_(folder),
      trained_tasks_(open.info.tasks),
      trained_rows_(std::ssize(trained_tasks_.entries())),
      generator_(std::make_shared<TextGenerator>(std::move(engine), open.info.tokenizer, options)),
      finder_(open.info.finder),
      all_routes_(open.info.routes),
      added_(folder, open),
      no_task_(open.route(-1)) {
  for (int64_t row = 0; row < trained_rows_; ++row) {
    routes_.push_back(open.route(row));
    likely_.push_back(all_routes_ ? all_routes_->likely.at(static_cast<size_t>(row))
                                  : routes_.back());
  }
  take_tasks();
}

void LoadedModel::take_tasks() {
  tasks_ = trained_tasks_;
  routes_.resize(static_cast<size_t>(trained_rows_));
  likely_.resize(static_cast<size_t>(trained_rows_));
  for (const auto& added : added_.tasks()) {
    tasks_.add(added->entry);
    routes_.push_back(added->route);
    likely_.push_back(added->likely);
  }
}

bool LoadedModel::refresh_tasks() {
  if (!added_.refresh()) return false;
  take_tasks();
  return true;
}

LoadedModel::LoadedModel(const std::filesystem::path& folder, const OpenCheckpoint& open,
                         const EngineOptions& engine, const GeneratorOptions& options)
    : LoadedModel(folder, open, make_engine(open.info.config, engine, open.reader(folder.string())),
                  options) {}

LoadedModel::LoadedModel(const std::filesystem::path& folder, const EngineOptions& engine,
                         const GeneratorOptions& options)
    : LoadedModel(folder, open_checkpoint(folder), engine, options) {}

RouteDump LoadedModel::route_dump() const {
  return dump_routes(all_routes_.value_or(ModelRoutes()), config(), trained_tasks_);
}

const TaskRoute& LoadedModel::route(int64_t row) const {
  return row < 0 ? no_task_ : routes_.at(static_cast<size_t>(row));
}

const TaskRoute& LoadedModel::likely_route(int64_t row) const {
  return row < 0 ? no_task_ : likely_.at(static_cast<size_t>(row));
}

int64_t LoadedModel::row_of(const std::string& task) const {
  const auto problem = added_.problems().find(task);
  if (problem != added_.problems().end() && !tasks_.has(task)) {
    throw Error(ExitCode::kBadModel, problem->second);
  }
  return static_cast<int64_t>(tasks_.index_of(task));
}

std::vector<TaskGuess> LoadedModel::guesses_by_fields(const std::string& text) const {
  std::set<std::string> named;
  for (const TaskEntry& entry : tasks_.entries()) {
    const bool several = entry.prompt->input_fields().size() > 1;
    if (several && fields_of_text(*entry.prompt, text)) named.insert(entry.task.name);
  }
  if (named.empty()) return {};
  std::vector<TaskGuess> guesses = finder_->find(text, finder_->tasks().size());
  std::erase_if(guesses, [&](const TaskGuess& guess) { return !named.contains(guess.task); });
  double total = 0;
  std::map<std::string, double> families;
  for (const TaskGuess& guess : guesses) {
    total += guess.probability;
    families[guess.family] += guess.probability;
  }
  for (TaskGuess& guess : guesses) {
    guess.probability /= total;
    guess.family_probability = families.at(guess.family) / total;
  }
  std::stable_sort(guesses.begin(), guesses.end(), [](const TaskGuess& a, const TaskGuess& b) {
    return a.probability > b.probability;
  });
  return guesses;
}

ResolvedPrompt LoadedModel::choose_task(const std::string& task, const std::string& text) const {
  ResolvedPrompt resolved;
  if (!task.empty()) {
    resolved.row = row_of(task);
    resolved.source = TaskSource::kNamed;
    resolved.reason = "the task was named";
  } else if (finder_) {
    std::vector<TaskGuess> guesses = guesses_by_fields(text);
    const bool by_fields = !guesses.empty();
    if (!by_fields) guesses = finder_->find(text);
    resolved.row = static_cast<int64_t>(tasks_.index_of(guesses.at(0).task));
    resolved.source = TaskSource::kNearest;
    resolved.fits = by_fields || TaskFinder::fits(guesses.at(0));
    resolved.reason =
        (by_fields ? "the prompt names the task's fields; " : "") + describe_guesses(guesses);
  } else {
    resolved.reason = "the checkpoint knows no tasks";
  }
  if (resolved.row >= 0) {
    resolved.task = tasks_.entries()[static_cast<size_t>(resolved.row)].task.name;
  }
  resolved.prompt = {text, route(resolved.row)};
  return resolved;
}

ResolvedPrompt LoadedModel::resolve(const std::string& task, const std::string& text) const {
  ResolvedPrompt resolved = choose_task(task, text);
  if (resolved.row < 0) {
    refuse_without_row(text);
    return resolved;
  }
  const TaskEntry& entry = tasks_.entries()[static_cast<size_t>(resolved.row)];
  if (const auto fields = fields_of_text(*entry.prompt, text)) {
    fill(resolved, entry, *fields);
  } else {
    resolved.options = entry.prompt->fixed_options();
  }
  refuse_without_row(resolved.prompt.text);
  return resolved;
}

ResolvedPrompt LoadedModel::resolve_fields(const std::string& task, const Json& fields) const {
  ResolvedPrompt resolved = choose_task(task, joined_texts(fields));
  if (resolved.row < 0) {
    throw Error(ExitCode::kBadData,
                "an input of fields needs a task, and the checkpoint knows none; give it as text");
  }
  fill(resolved, tasks_.entries()[static_cast<size_t>(resolved.row)], fields);
  refuse_without_row(resolved.prompt.text);
  return resolved;
}

// Here, so that one such line of many is an error of that line.
void LoadedModel::refuse_without_row(const std::string& text) const {
  const Tokenizer& tokenizer = generator_->tokenizer();
  if (tokenizer.vocab_size() <= config().vocab_size) return;
  tokenizer.refuse_without_row(tokenizer.encode(text));
}

}  // namespace trivium
