#include "inference/loaded_model.h"

#include "base/error.h"
#include "base/text.h"
#include "checkpoint/checkpoint.h"
#include "data/prompt_filling.h"

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

// Reads the engine's weights from the disk, one after the other.
TensorReader reader_of(std::shared_ptr<const TensorFiles> files, std::string where) {
  return [files = std::move(files), where = std::move(where)](const std::string& name) {
    const auto owner = std::make_shared<torch::Tensor>(files->read(name));
    refuse_damaged(*owner, name, where);
    return HostTensor{std::shared_ptr<const float>(owner, owner->data_ptr<float>()),
                      owner->sizes().vec()};
  };
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

LoadedModel::LoadedModel(const std::filesystem::path& folder, torch::Device device,
                         const GeneratorOptions& options,
                         const std::optional<EngineOptions>& engine)
    : folder_(folder) {
  OpenCheckpoint open;
  if (engine) {
    open = open_checkpoint(folder);
  } else {
    open.checkpoint = load_checkpoint(folder);
  }
  Checkpoint& checkpoint = open.checkpoint;
  Seq2SeqModel model = checkpoint.model;
  model->to(device);
  model->eval();
  tasks_ = std::move(checkpoint.tasks);
  finder_ = std::move(checkpoint.finder);
  const double temperature = checkpoint.config.routing.selection_temperature;
  const auto rows = static_cast<int64_t>(tasks_.entries().size());
  for (int64_t row = 0; row < rows; ++row) {
    routes_.push_back(route_of_task(model, row, temperature));
  }
  no_task_ = route_of_task(model, 0, temperature);
  std::shared_ptr<Backend> backend;
  if (engine) {
    backend = engine_backend(checkpoint.config, *engine, reader_of(open.files, folder.string()));
  } else {
    backend = torch_backend(model);
    model_ = model;
  }
  generator_ = std::make_unique<TextGenerator>(backend, checkpoint.tokenizer, options);
}

Seq2SeqModel& LoadedModel::model() {
  if (model_.is_empty()) {
    model_ = load_checkpoint(folder_).model;
    model_->eval();
  }
  return model_;
}

const TaskRoute& LoadedModel::route(int64_t row) const {
  return row < 0 ? no_task_ : routes_.at(static_cast<size_t>(row));
}

ResolvedPrompt LoadedModel::choose_task(const std::string& task, const std::string& text) const {
  ResolvedPrompt resolved;
  if (!task.empty()) {
    resolved.row = static_cast<int64_t>(tasks_.index_of(task));
    resolved.source = TaskSource::kNamed;
    resolved.reason = "the task was named";
  } else if (finder_) {
    const std::vector<TaskGuess> guesses = finder_->find(text);
    resolved.row = static_cast<int64_t>(tasks_.index_of(guesses.at(0).task));
    resolved.source = TaskSource::kNearest;
    resolved.reason = describe_guesses(guesses);
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
  if (resolved.row < 0) return resolved;
  const TaskEntry& entry = tasks_.entries()[static_cast<size_t>(resolved.row)];
  if (const auto fields = fields_of_text(*entry.prompt, text)) {
    fill(resolved, entry, *fields);
  } else {
    resolved.options = entry.prompt->fixed_options();
  }
  return resolved;
}

ResolvedPrompt LoadedModel::resolve_fields(const std::string& task, const Json& fields) const {
  ResolvedPrompt resolved = choose_task(task, joined_texts(fields));
  if (resolved.row < 0) {
    throw Error(ExitCode::kBadData,
                "an input of fields needs a task, and the checkpoint knows none; give it as text");
  }
  fill(resolved, tasks_.entries()[static_cast<size_t>(resolved.row)], fields);
  return resolved;
}

}  // namespace trivium
