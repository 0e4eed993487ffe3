#include "learning/storage/classifier_checkpoint.h"

#include <array>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_folder.h"
#include "learning/storage/expert_copies.h"
#include "learning/storage/hugging_face.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTasksFile = "classifier.json";
constexpr double kHeadStd = 0.02;

constexpr std::array<std::pair<AnswerKind, const char*>, 4> kKindNames{{
    {AnswerKind::kLabel, "label"},
    {AnswerKind::kNumber, "number"},
    {AnswerKind::kWordPair, "word_pair"},
    {AnswerKind::kChoice, "choice"},
}};

HeadShape head_shape(const LabelledTaskInfo& task) {
  return {task.name, task.outputs(), task.kind == AnswerKind::kWordPair};
}

EncoderClassifier classifier_from_tensors(const ModelConfig& config,
                                          const std::vector<LabelledTaskInfo>& tasks,
                                          NamedTensors tensors, const std::string& where) {
  std::vector<HeadShape> heads;
  for (const LabelledTaskInfo& task : tasks) heads.push_back(head_shape(task));
  torch::NoGradGuard no_grad;
  EncoderClassifier model(config, heads);
  fill_module(*model, std::move(tensors), where);
  return model;
}

void add_head(NamedTensors& tensors, const LabelledTaskInfo& task, int64_t d_model) {
  const HeadShape shape = head_shape(task);
  const std::string prefix = "heads." + task.name;
  tensors[prefix + ".weight"] =
      torch::randn({shape.outputs, d_model * (shape.spans ? 3 : 1)}) * kHeadStd;
  tensors[prefix + ".bias"] = torch::zeros({shape.outputs});
}

Json to_json(const std::vector<LabelledTaskInfo>& tasks) {
  Json rows = Json::array();
  for (const LabelledTaskInfo& task : tasks) {
    Json row = {{"name", task.name}, {"family", task.family}, {"metric", task.metric}};
    for (const auto& [kind, name] : kKindNames) {
      if (kind == task.kind) row["kind"] = name;
    }
    row["labels"] = task.labels;
    rows.push_back(std::move(row));
  }
  return {{"tasks", std::move(rows)}};
}

LabelledTaskInfo task_from_json(const Json& row, const std::string& where) {
  LabelledTaskInfo task;
  task.name = json_get<std::string>(row, "name", where);
  task.family = json_get<std::string>(row, "family", where);
  task.metric = json_get<std::string>(row, "metric", where);
  task.labels = json_get<std::vector<std::string>>(row, "labels", where);
  const auto kind = json_get<std::string>(row, "kind", where);
  bool known = false;
  for (const auto& [value, name] : kKindNames) {
    if (kind != name) continue;
    task.kind = value;
    known = true;
  }
  if (!known || task.name.empty() || task.name.find('.') != std::string::npos ||
      task.outputs() < 1) {
    throw Error(ExitCode::kBadModel, where + ": a task has a bad name, kind or set of labels");
  }
  return task;
}

std::vector<LabelledTaskInfo> read_tasks(const fs::path& file) {
  const Json json = read_json_file(file, ExitCode::kBadModel);
  try {
    std::vector<LabelledTaskInfo> tasks;
    for (const Json& row : json_get<std::vector<Json>>(json, "tasks", file.string())) {
      tasks.push_back(task_from_json(row, file.string()));
    }
    return tasks;
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
}

}  // namespace

int64_t ClassifierCheckpoint::index_of(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t t = 0; t < tasks.size(); ++t) {
    if (tasks[t].name == name) return static_cast<int64_t>(t);
    names.push_back(tasks[t].name);
  }
  throw Error(ExitCode::kMissingInput,
              "the classifier has no task " + name + name_hint(name, names));
}

ClassifierCheckpoint import_classifier(const fs::path& folder,
                                       const std::vector<LabelledTaskInfo>& tasks,
                                       const ClassifierOptions& options) {
  BertEncoder bert = import_bert_encoder(folder, options.encoder_layers);
  ClassifierCheckpoint result;
  result.tasks = tasks;
  result.tokenizer = std::move(bert.tokenizer);
  result.config = std::move(bert.config);
  result.config.token_experts = options.token_experts;
  // Through JSON, since that is where ranges are checked.
  result.config = model_config_from_json(trivium::to_json(result.config), folder.string());
  ExpertOptions experts;
  experts.token_experts = options.token_experts;
  experts.num_tasks = static_cast<int64_t>(tasks.size());
  experts.expert_noise =
      0;  // exact copies: the gates tell them apart (docs/spec/mt_tag.md, section 2)
  experts.seed = options.seed;
  NamedTensors tensors = add_experts(std::move(bert.tensors), result.config, experts);
  torch::manual_seed(options.seed);
  for (const LabelledTaskInfo& task : tasks) add_head(tensors, task, result.config.d_model);
  result.model = classifier_from_tensors(result.config, tasks, std::move(tensors), folder.string());
  return result;
}

ClassifierCheckpoint single_task_copy(const ClassifierCheckpoint& original,
                                      const LabelledTaskInfo& task, std::optional<int64_t> gate_row,
                                      uint64_t seed) {
  ClassifierCheckpoint copy = original;
  copy.tasks = {task};
  torch::manual_seed(seed);
  torch::NoGradGuard no_grad;
  const std::string head = "heads." + task.name + ".";
  NamedTensors tensors;
  for (auto& [name, tensor] : copied_tensors(*original.model)) {
    if (name.starts_with("heads.")) {
      if (name.starts_with(head)) tensors[name] = tensor;
      continue;
    }
    const bool is_table = name.ends_with(".gate.weight") || name == "gate_embeddings.weight";
    if (!is_table || original.config.token_experts.gates == TokenGates::kShared) {
      tensors[name] = tensor;
    } else if (gate_row) {
      tensors[name] = tensor.narrow(0, *gate_row, 1).clone();
    } else {
      tensors[name] = torch::empty_like(tensor.narrow(0, 0, 1));
      init_parameter(name, tensors[name], original.config.init_std);
    }
  }
  if (!tensors.contains(head + "weight")) add_head(tensors, task, original.config.d_model);
  copy.model = classifier_from_tensors(copy.config, copy.tasks, std::move(tensors), task.name);
  return copy;
}

void save_classifier(const ClassifierCheckpoint& checkpoint, const fs::path& folder,
                     const SaveOptions& options) {
  const NamedTensors tensors = module_tensors(*checkpoint.model);
  refuse_unfinite(tensors, folder);
  replace_checkpoint_folder(folder, [&](const fs::path& staging) {
    write_file_atomically(staging / "config.json",
                          trivium::to_json(checkpoint.config).dump(2) + "\n");
    write_file_atomically(staging / kTasksFile, to_json(checkpoint.tasks).dump(1) + "\n");
    checkpoint.tokenizer->save(staging);
    write_tensors(staging, tensors, options.storage, options.max_file_bytes);
    if (options.write_more) options.write_more(staging);
  });
}

ClassifierCheckpoint load_classifier(const fs::path& folder, Verify verify) {
  const CheckpointManifest manifest = verify_checkpoint_folder(folder, verify);
  if (!fs::exists(folder / kTasksFile)) {
    throw Error(ExitCode::kBadModel,
                folder.string() + " is no classifier: it has no " + kTasksFile);
  }
  const fs::path config_file = folder / "config.json";
  ClassifierCheckpoint result;
  result.config = model_config_from_json(read_json_file(config_file, ExitCode::kBadModel),
                                         config_file.string());
  if (result.config.decoder_layers != 0 || result.config.routing.num_experts != 1) {
    throw Error(ExitCode::kBadModel, config_file.string() + " is not that of a classifier");
  }
  result.tasks = read_tasks(folder / kTasksFile);
  result.tokenizer = load_tokenizer(folder);
  result.tokenizer->set_model_rows(result.config.vocab_size);
  NamedTensors tensors = read_tensors(folder, manifest.tensors);
  refuse_oversized(result.config, tensors, folder.string());
  result.model =
      classifier_from_tensors(result.config, result.tasks, std::move(tensors), folder.string());
  return result;
}

}  // namespace trivium::learning
