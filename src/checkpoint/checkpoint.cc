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

// The model's tasks, as far as its tensors tell.
int64_t count_tasks(const ModelConfig& config, const NamedTensors& tensors) {
  const auto rows = tensors.find(rows_of_tasks(config));
  if (rows == tensors.end()) return 0;
  return rows->second.dim() > 0 ? rows->second.size(0) : 0;
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

void refuse_oversized(const ModelConfig& config, const NamedTensors& tensors,
                      const std::string& where) {
  double held = 0;
  for (const auto& [name, tensor] : tensors) held += static_cast<double>(tensor.numel());
  if (parameter_count(config) > 2 * held + 1e6) {
    throw Error(ExitCode::kBadModel, where + ": config.json asks for " +
                                         std::to_string(int64_t(parameter_count(config))) +
                                         " parameters, but the safetensors hold " +
                                         std::to_string(int64_t(held)));
  }
}

void fill_module(torch::nn::Module& module, NamedTensors tensors, const std::string& where) {
  const auto fail = [&](const std::string& name, const std::string& problem) {
    throw Error(ExitCode::kBadModel, where + ": tensor " + quoted_name(name) + " " + problem);
  };
  torch::NoGradGuard no_grad;
  std::set<const void*> memory;
  // Not detached: set_data must reach the module's own tensors.
  auto targets = module.named_parameters();
  targets.update(module.named_buffers());
  for (auto& item : targets) {
    const std::string& name = item.key();
    torch::Tensor& target = item.value();
    auto node = tensors.extract(name);
    if (node.empty()) fail(name, "is missing");
    const torch::Tensor& source = node.mapped();
    if (source.sizes() != target.sizes()) {
      fail(name, "has the shape " + shape_text(source.sizes()) + ", but config.json asks for " +
                     shape_text(target.sizes()));
    }
    if (!is_finite(source)) fail(name, "has a NaN or an infinity");
    check(memory.insert(source.data_ptr()).second, "two tensors of a model share memory");
    check(source.is_contiguous(), "a model takes contiguous tensors");
    target.set_data(source);
  }
  if (!tensors.empty()) fail(tensors.begin()->first, "is unknown: config.json has no place for it");
}

Seq2SeqModel model_from_tensors(const ModelConfig& config, NamedTensors tensors,
                                const std::string& where) {
  if (config.decoder_layers == 0) {
    throw Error(ExitCode::kBadModel,
                where + " is an encoder without a decoder: trivium classifier takes such models");
  }
  refuse_oversized(config, tensors, where);
  torch::NoGradGuard no_grad;
  Seq2SeqModel model(config, count_tasks(config, tensors));
  fill_module(*model, std::move(tensors), where);
  if (model->is_routed() && !model->has_router() && !are_routes(model->route_table(), config)) {
    throw Error(ExitCode::kBadModel,
                where +
                    ": tensor \"route_table.weight\" must hold weights over experts, each "
                    "layer's adding up to 1");
  }
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

Checkpoint load_checkpoint(const fs::path& folder, Verify verify) {
  const std::string manifest = verify_checkpoint_folder(folder, verify);
  const fs::path config_file = folder / "config.json";
  Checkpoint checkpoint;
  checkpoint.config = model_config_from_json(read_json_file(config_file, ExitCode::kBadModel),
                                             config_file.string());
  checkpoint.model = model_from_tensors(checkpoint.config, read_tensors(folder), folder.string());
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

}  // namespace trivium
