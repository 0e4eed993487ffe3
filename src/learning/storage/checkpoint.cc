#include "learning/storage/checkpoint.h"

#include <set>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/checkpoint/model_shapes.h"
#include "core/checkpoint/safetensors_header.h"
#include "learning/model/model_routes.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

bool is_finite(const torch::Tensor& tensor) {
  // One pass without a temporary: NaN and infinity survive the minimum and maximum.
  const auto [low, high] = torch::aminmax(tensor);
  return std::isfinite(low.item<float>()) && std::isfinite(high.item<float>());
}

bool are_routes(const torch::Tensor& table, const ModelConfig& config) {
  const torch::Tensor sums = table.view({-1, config.routing.num_experts}).sum(1);
  return (table >= 0).all().item<bool>() && ((sums - 1).abs() < 1e-3).all().item<bool>();
}

void refuse_bad_table(Seq2SeqModel& model, const std::string& where) {
  if (!model->is_routed() || model->has_router() ||
      are_routes(model->route_table(), model->config())) {
    return;
  }
  refuse_tensor("route_table.weight", "must hold weights over experts, each layer's adding up to 1",
                where);
}

// The routes that the stored weights give: where those are rounded, the router's are too.
ModelRoutes stored_routes(const Checkpoint& checkpoint, StorageKind storage) {
  if (storage != StorageKind::kBFloat16) return model_routes(checkpoint.model);
  NamedTensors tensors = copied_tensors(checkpoint.model);
  for (auto& [name, tensor] : tensors) {
    tensor = tensor.to(torch::kCPU).to(torch::kBFloat16).to(torch::kFloat32);
  }
  Seq2SeqModel rounded = model_from_tensors(checkpoint.config(), std::move(tensors), "the model");
  rounded->eval();
  return model_routes(rounded);
}

CheckpointInfo info_of(const Checkpoint& checkpoint, StorageKind storage) {
  CheckpointInfo info{
      checkpoint.config(), checkpoint.tokenizer, checkpoint.tasks, checkpoint.finder, {}};
  if (checkpoint.model->is_routed()) info.routes = stored_routes(checkpoint, storage);
  return info;
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
  trivium::refuse_oversized(config, held, where);
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
                    "has the shape " + shape_text(source.sizes().vec()) +
                        ", but config.json asks for " + shape_text(target.sizes().vec()),
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
  refuse_oversized(config, tensors, where);
  torch::NoGradGuard no_grad;
  const int64_t num_tasks = count_task_rows(config, [&](const std::string& name) {
    const auto found = tensors.find(name);
    return found == tensors.end() ? std::vector<int64_t>() : found->second.sizes().vec();
  });
  Seq2SeqModel model(config, num_tasks);
  fill_module(*model, std::move(tensors), where);
  refuse_bad_table(model, where);
  return model;
}

void save_checkpoint(const Checkpoint& checkpoint, const fs::path& folder,
                     const SaveOptions& options) {
  trivium::save_checkpoint(info_of(checkpoint, options.storage),
                           as_host(model_tensors(checkpoint.model)), folder, options);
}

Checkpoint load_checkpoint(const fs::path& folder, Verify verify) {
  OpenCheckpoint open = open_checkpoint(folder, verify, Needs::kNothing);
  NamedTensors tensors;
  for (const std::string& name : open.files->names()) {
    tensors[name] = as_torch(open.files->read(name));
  }
  CheckpointInfo& info = open.info;
  return {model_from_tensors(info.config, std::move(tensors), folder.string()),
          std::move(info.tokenizer), std::move(info.tasks), std::move(info.finder)};
}

bool resolve_routes(const fs::path& folder) {
  if (fs::exists(folder / kRoutesFile)) return false;
  const Checkpoint checkpoint = load_checkpoint(folder, Verify::kHashes);
  if (!checkpoint.model->is_routed()) return false;
  const Json routes = to_json(model_routes(checkpoint.model));
  replace_checkpoint_folder(folder, [&](const fs::path& staging) {
    for (const std::string& name : checkpoint_files(folder)) {
      fs::copy_file(folder / name, staging / name);
    }
    write_file_atomically(staging / kRoutesFile, to_json_line(routes) + "\n");
  });
  return true;
}

}  // namespace trivium::learning
