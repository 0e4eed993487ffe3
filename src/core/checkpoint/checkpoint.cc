#include "core/checkpoint/checkpoint.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/checkpoint/model_shapes.h"
#include "core/checkpoint/safetensors_header.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTasksFile = "tasks.json";
constexpr const char* kFinderFile = "task_finder.json";

void refuse_encoder_alone(const ModelConfig& config, const std::string& where) {
  if (config.decoder_layers > 0) return;
  throw Error(ExitCode::kBadModel,
              where + " is an encoder without a decoder: trivium classifier takes such models");
}

ShapesByName shapes_of(const TensorFiles& files) {
  ShapesByName shapes;
  for (const std::string& name : files.names()) shapes[name] = files.shape(name);
  return shapes;
}

void load_tasks(const OpenCheckpoint& open, const fs::path& folder, CheckpointInfo& info) {
  const fs::path file = folder / kTasksFile;
  info.tasks = read_task_catalog(folder);
  const size_t count = info.tasks.entries().size();
  if (count == 0) return;
  const int64_t rows = count_task_rows(info.config, [&](const std::string& name) {
    return open.files->has(name) ? open.files->shape(name) : std::vector<int64_t>();
  });
  if (has_task_rows(info.config) && static_cast<int64_t>(count) != rows) {
    throw Error(ExitCode::kBadModel, file.string() + " has " + std::to_string(count) +
                                         " tasks, but the model has " + std::to_string(rows) +
                                         " tasks' routes");
  }
  const fs::path finder = folder / kFinderFile;
  info.finder = TaskFinder::from_json(read_json_file(finder, ExitCode::kBadModel), finder.string());
  for (const std::string& task : info.finder->tasks()) {
    if (info.tasks.has(task)) continue;
    throw Error(ExitCode::kBadModel, finder.string() + ": a task that tasks.json does not have");
  }
}

void load_routes(const fs::path& folder, CheckpointInfo& info) {
  if (info.config.routing.num_experts <= 1) return;
  const fs::path file = folder / kRoutesFile;
  if (!fs::exists(file)) {
    throw Error(ExitCode::kBadModel,
                folder.string() +
                    " was saved without routes.json, before routes were stored; "
                    "write it once with: trivium routes resolve --checkpoint " +
                    folder.string());
  }
  info.routes =
      model_routes_from_json(read_json_file(file, ExitCode::kBadModel), info.config, file.string());
  const size_t tasks = info.tasks.entries().size(), routes = info.routes->used.size();
  if (tasks == 0 || tasks == routes) return;
  throw Error(ExitCode::kBadModel, file.string() + " has " + std::to_string(routes) +
                                       " tasks, but tasks.json has " + std::to_string(tasks));
}

// Reads what the manifest names.
OpenCheckpoint open_files(const fs::path& folder, const CheckpointManifest& manifest, Needs needs) {
  const fs::path config_file = folder / "config.json";
  const std::string where = folder.string();
  OpenCheckpoint open;
  CheckpointInfo& info = open.info;
  info.config = model_config_from_json(read_json_file(config_file, ExitCode::kBadModel),
                                       config_file.string());
  refuse_encoder_alone(info.config, where);
  open.files = std::make_shared<TensorFiles>(folder, manifest.tensors);
  open.weights_id = manifest.weights_id;
  refuse_oversized(info.config, open.files->elements(), where);
  refuse_other_shapes(info.config, shapes_of(*open.files), where);
  info.tokenizer = load_tokenizer(folder);
  info.tokenizer->set_model_rows(info.config.vocab_size);
  load_tasks(open, folder, info);
  if (needs == Needs::kRoutes) load_routes(folder, info);
  return open;
}

}  // namespace

TaskRoute OpenCheckpoint::route(int64_t row) const {
  const size_t place = row < 0 ? 0 : static_cast<size_t>(row);
  if (info.routes) return info.routes->used.at(place);
  const bool has_gates = info.config.token_experts.num_experts > 1;
  return dense_route(info.config, has_gates ? static_cast<int64_t>(place) : 0);
}

TensorReader OpenCheckpoint::reader(std::string where) const {
  return [files = files, where = std::move(where)](const std::string& name) {
    HostTensor tensor = files->read(name);
    if (!is_finite(tensor)) refuse_tensor(name, "has a NaN or an infinity", where);
    return tensor;
  };
}

OpenCheckpoint open_checkpoint(const fs::path& folder, Verify verify, Needs needs) {
  const CheckpointManifest manifest = verify_checkpoint_folder(folder, verify);
  OpenCheckpoint open;
  try {
    open = open_files(folder, manifest, needs);
  } catch (const Error& error) {
    // What a checkpoint lacks, or has otherwise than it should, is the checkpoint's fault.
    const bool is_io = error.code() == ExitCode::kIo;
    throw Error(is_io ? ExitCode::kIo : ExitCode::kBadModel, error.what());
  }
  // A training run may have replaced the folder in the meantime: the parts would not belong
  // together.
  if (read_file(folder / kManifestFile) != manifest.text) {
    throw Error(ExitCode::kBadModel,
                folder.string() + " was replaced while it was read; try again");
  }
  return open;
}

TaskCatalog read_task_catalog(const fs::path& folder) {
  const fs::path file = folder / kTasksFile;
  const Json json = read_json_file(file, ExitCode::kBadModel);
  if (json == Json::object()) return {};
  return TaskCatalog::from_json(json, file.string());
}

void replace_task_finder(const fs::path& folder, const TaskFinder& finder) {
  verify_checkpoint_folder(folder, Verify::kHashes);
  replace_checkpoint_folder(folder, [&](const fs::path& staging) {
    for (const std::string& name : checkpoint_files(folder)) {
      if (name != kFinderFile) fs::copy_file(folder / name, staging / name);
    }
    write_file_atomically(staging / kFinderFile, finder.to_json().dump(0) + "\n");
  });
}

void save_checkpoint(const CheckpointInfo& info, const std::map<std::string, HostTensor>& tensors,
                     const fs::path& folder, const SaveOptions& options) {
  for (const auto& [name, tensor] : tensors) {
    if (is_finite(tensor)) continue;
    throw Error(ExitCode::kDiverged, "not saved: tensor " + quoted_name(name) +
                                         " has a NaN or an infinity; " + folder.string() +
                                         " is as it was");
  }
  check(info.routes.has_value() == (info.config.routing.num_experts > 1),
        "a model with pools is saved with its routes");
  replace_checkpoint_folder(folder, [&](const fs::path& staging) {
    write_file_atomically(staging / "config.json", to_json(info.config).dump(2) + "\n");
    write_file_atomically(staging / kTasksFile, info.tasks.to_json().dump(1) + "\n");
    if (info.finder) {
      write_file_atomically(staging / kFinderFile, info.finder->to_json().dump(0) + "\n");
    }
    if (info.routes) {
      write_file_atomically(staging / kRoutesFile, to_json_line(to_json(*info.routes)) + "\n");
    }
    info.tokenizer->save(staging);
    write_tensor_files(staging, tensors, options.storage, options.max_file_bytes);
    if (options.write_more) options.write_more(staging);
  });
}

}  // namespace trivium
