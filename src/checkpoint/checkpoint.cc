#include "checkpoint/checkpoint.h"

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/safetensors_header.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFinderFile = "task_finder.json";

bool is_finite(const torch::Tensor& tensor) {
  // One pass without a temporary: NaN and infinity survive the minimum and maximum.
  const auto [low, high] = torch::aminmax(tensor);
  return std::isfinite(low.item<float>()) && std::isfinite(high.item<float>());
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

// The tensor whose rows are the tasks; "" where the model has none.
std::string rows_of_tasks(const ModelConfig& config) {
  if (config.token_experts.num_experts > 1) {
    if (config.token_experts.gates == TokenGates::kShared) return "";
    return config.token_experts.gate_embedding_dim > 0 ? "gate_embeddings.weight"
                                                       : "encoder.layers.0.gate.weight";
  }
  if (config.routing.num_experts <= 1) return "";
  const bool is_table = config.routing.route_source == RouteSource::kTable;
  return is_table ? "route_table.weight" : "task_vectors.weight";
}

// The model's tasks, as far as its tensors tell. shape_of(name): of a tensor; {} where it is none.
template <typename ShapeOf>
int64_t count_tasks(const ModelConfig& config, const ShapeOf& shape_of) {
  const std::vector<int64_t> shape = shape_of(rows_of_tasks(config));
  return shape.empty() ? 0 : shape[0];
}

bool are_routes(const torch::Tensor& table, const ModelConfig& config) {
  const torch::Tensor sums = table.view({-1, config.routing.num_experts}).sum(1);
  return (table >= 0).all().item<bool>() && ((sums - 1).abs() < 1e-3).all().item<bool>();
}

void load_tasks(Checkpoint& checkpoint, const fs::path& folder) {
  const fs::path file = folder / "tasks.json";
  const Json json = read_json_file(file, ExitCode::kBadModel);
  if (json == Json::object()) return;  // a model that was not trained on tasks
  checkpoint.tasks = TaskCatalog::from_json(json, file.string());
  const size_t count = checkpoint.tasks.entries().size();
  if (count == 0) return;
  if (!rows_of_tasks(checkpoint.config).empty() &&
      count != static_cast<size_t>(checkpoint.model->num_tasks())) {
    throw Error(ExitCode::kBadModel,
                file.string() + " has " + std::to_string(count) + " tasks, but the model has " +
                    std::to_string(checkpoint.model->num_tasks()) + " tasks' routes");
  }
  const fs::path finder = folder / kFinderFile;
  checkpoint.finder =
      TaskFinder::from_json(read_json_file(finder, ExitCode::kBadModel), finder.string());
  for (const TaskGuess& guess : checkpoint.finder->find("", count)) {
    if (checkpoint.tasks.has(guess.task)) continue;
    throw Error(ExitCode::kBadModel, finder.string() + ": a task that tasks.json does not have");
  }
}

}  // namespace

NamedTensors module_tensors(const torch::nn::Module& module) {
  NamedTensors tensors;
  for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value().detach();
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value().detach();
  return tensors;
}

NamedTensors model_tensors(const Seq2SeqModel& model) { return module_tensors(*model); }

NamedTensors copied_tensors(const torch::nn::Module& module) {
  NamedTensors tensors = module_tensors(module);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  return tensors;
}

NamedTensors copied_tensors(const Seq2SeqModel& model) { return copied_tensors(*model); }

void refuse_unfinite(const NamedTensors& tensors, const fs::path& folder) {
  for (const auto& [name, tensor] : tensors) {
    if (is_finite(tensor)) continue;
    throw Error(ExitCode::kDiverged, "not saved: tensor " + quoted_name(name) +
                                         " has a NaN or an infinity; " + folder.string() +
                                         " is as it was");
  }
}

namespace {

[[noreturn]] void refuse_tensor(const std::string& name, const std::string& problem,
                                const std::string& where) {
  throw Error(ExitCode::kBadModel, where + ": tensor " + quoted_name(name) + " " + problem);
}

void refuse_encoder_alone(const ModelConfig& config, const std::string& where) {
  if (config.decoder_layers > 0) return;
  throw Error(ExitCode::kBadModel,
              where + " is an encoder without a decoder: trivium classifier takes such models");
}

void refuse_bad_table(Seq2SeqModel& model, const std::string& where) {
  if (!model->is_routed() || model->has_router() ||
      are_routes(model->route_table(), model->config())) {
    return;
  }
  refuse_tensor("route_table.weight", "must hold weights over experts, each layer's adding up to 1",
                where);
}

void refuse_oversized(const ModelConfig& config, double held, const std::string& where) {
  if (parameter_count(config) > 2 * held + 1e6) {
    throw Error(ExitCode::kBadModel, where + ": config.json asks for " +
                                         std::to_string(int64_t(parameter_count(config))) +
                                         " parameters, but the safetensors hold " +
                                         std::to_string(int64_t(held)));
  }
}

}  // namespace

void refuse_oversized(const ModelConfig& config, const NamedTensors& tensors,
                      const std::string& where) {
  double held = 0;
  for (const auto& [name, tensor] : tensors) held += static_cast<double>(tensor.numel());
  refuse_oversized(config, held, where);
}

void refuse_damaged(const torch::Tensor& tensor, const std::string& name,
                    const std::string& where) {
  if (!is_finite(tensor)) refuse_tensor(name, "has a NaN or an infinity", where);
}

void fill_module(torch::nn::Module& module, NamedTensors tensors, const std::string& where) {
  torch::NoGradGuard no_grad;
  std::set<const void*> memory;
  // Not detached: set_data must reach the module's own tensors.
  auto targets = module.named_parameters();
  targets.update(module.named_buffers());
  for (auto& item : targets) {
    const std::string& name = item.key();
    torch::Tensor& target = item.value();
    auto node = tensors.extract(name);
    if (node.empty()) refuse_tensor(name, "is missing", where);
    const torch::Tensor& source = node.mapped();
    if (source.sizes() != target.sizes()) {
      refuse_tensor(name,
                    "has the shape " + shape_text(source.sizes()) + ", but config.json asks for " +
                        shape_text(target.sizes()),
                    where);
    }
    refuse_damaged(source, name, where);
    check(memory.insert(source.data_ptr()).second, "two tensors of a model share memory");
    check(source.is_contiguous(), "a model takes contiguous tensors");
    target.set_data(source);
  }
  if (!tensors.empty()) {
    refuse_tensor(tensors.begin()->first, "is unknown: config.json has no place for it", where);
  }
}

Seq2SeqModel model_from_tensors(const ModelConfig& config, NamedTensors tensors,
                                const std::string& where) {
  refuse_encoder_alone(config, where);
  refuse_oversized(config, tensors, where);
  torch::NoGradGuard no_grad;
  Seq2SeqModel model(config, count_tasks(config, [&](const std::string& name) {
                       const auto found = tensors.find(name);
                       return found == tensors.end() ? std::vector<int64_t>()
                                                     : found->second.sizes().vec();
                     }));
  fill_module(*model, std::move(tensors), where);
  refuse_bad_table(model, where);
  return model;
}

void save_checkpoint(const Checkpoint& checkpoint, const fs::path& folder,
                     const SaveOptions& options) {
  const NamedTensors tensors = model_tensors(checkpoint.model);
  refuse_unfinite(tensors, folder);
  replace_checkpoint_folder(folder, [&](const fs::path& staging) {
    write_file_atomically(staging / "config.json", to_json(checkpoint.config).dump(2) + "\n");
    write_file_atomically(staging / "tasks.json", checkpoint.tasks.to_json().dump(1) + "\n");
    if (checkpoint.finder) {
      write_file_atomically(staging / kFinderFile, checkpoint.finder->to_json().dump(0) + "\n");
    }
    checkpoint.tokenizer->save(staging);
    write_tensors(staging, tensors, options.storage, options.max_file_bytes);
    if (options.write_more) options.write_more(staging);
  });
}

namespace {

// A checkpoint whose model `make_model(config)` makes from the folder's tensors.
template <typename MakeModel>
Checkpoint load_with(const fs::path& folder, Verify verify, const MakeModel& make_model) {
  const std::string manifest = verify_checkpoint_folder(folder, verify);
  const fs::path config_file = folder / "config.json";
  Checkpoint checkpoint;
  checkpoint.config = model_config_from_json(read_json_file(config_file, ExitCode::kBadModel),
                                             config_file.string());
  checkpoint.model = make_model(checkpoint.config);
  checkpoint.tokenizer = load_tokenizer(folder);
  if (checkpoint.tokenizer->vocab_size() > checkpoint.config.vocab_size) {
    throw Error(ExitCode::kBadModel,
                folder.string() + ": the tokenizer has more tokens than config.json's vocab_size");
  }
  load_tasks(checkpoint, folder);
  // A training run may have replaced the folder in the meantime: the parts would not belong
  // together.
  if (verify_checkpoint_folder(folder, Verify::kSizes) != manifest) {
    throw Error(ExitCode::kBadModel,
                folder.string() + " was replaced while it was read; try again");
  }
  return checkpoint;
}

bool gives_routes(const std::string& name) {
  return name.starts_with("router.") || name == "task_vectors.weight" ||
         name == "route_table.weight";
}

// A model with every name and shape checked, and only the tensors that give routes read.
Seq2SeqModel model_of_routes(const ModelConfig& config, const TensorFiles& files,
                             const std::string& where) {
  NamedTensors routes;
  std::set<std::string> unknown;
  double held = 0;
  for (const std::string& name : files.names()) {
    double elements = 1;
    for (const int64_t size : files.shape(name)) elements *= static_cast<double>(size);
    held += elements;
    unknown.insert(name);
    if (gives_routes(name)) routes[name] = files.read(name);
  }
  refuse_oversized(config, held, where);
  torch::NoGradGuard no_grad;
  // Its tensors are not initialised, so that their memory is never touched.
  Seq2SeqModel model(config, count_tasks(config, [&](const std::string& name) {
                       return unknown.contains(name) ? files.shape(name) : std::vector<int64_t>();
                     }));
  auto targets = model->named_parameters();
  targets.update(model->named_buffers());
  for (auto& item : targets) {
    const std::string& name = item.key();
    if (unknown.erase(name) == 0) refuse_tensor(name, "is missing", where);
    if (item.value().sizes() != at::IntArrayRef(files.shape(name))) {
      refuse_tensor(name,
                    "has the shape " + shape_text(files.shape(name)) +
                        ", but config.json asks for " + shape_text(item.value().sizes()),
                    where);
    }
    const auto route = routes.find(name);
    if (route != routes.end()) refuse_damaged(route->second, name, where);
    item.value().set_data(route != routes.end() ? route->second : torch::empty({0}));
  }
  if (!unknown.empty()) {
    refuse_tensor(*unknown.begin(), "is unknown: config.json has no place for it", where);
  }
  refuse_bad_table(model, where);
  return model;
}

}  // namespace

Checkpoint load_checkpoint(const fs::path& folder, Verify verify) {
  return load_with(folder, verify, [&](const ModelConfig& config) {
    return model_from_tensors(config, read_tensors(folder), folder.string());
  });
}

OpenCheckpoint open_checkpoint(const fs::path& folder) {
  OpenCheckpoint open;
  open.checkpoint = load_with(folder, Verify::kSizes, [&](const ModelConfig& config) {
    refuse_encoder_alone(config, folder.string());
    open.files = std::make_shared<TensorFiles>(folder);
    return model_of_routes(config, *open.files, folder.string());
  });
  return open;
}

}  // namespace trivium
