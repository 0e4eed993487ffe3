// The checkpoint folder: config.json (Hugging Face's keys and trivium's own), *.safetensors, the
// tokenizer's files, tasks.json, task_finder.json where there are tasks, routes.json where there
// are pools of experts, and manifest.json with the size, the SHA-256 and the checksums of each,
// written last.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/checkpoint/checkpoint_folder.h"
#include "core/checkpoint/tensor_files.h"
#include "core/config/model_config.h"
#include "core/data/task_catalog.h"
#include "core/data/task_finder.h"
#include "core/routes/model_routes.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium {

inline constexpr const char* kRoutesFile = "routes.json";

// What a checkpoint knows besides its weights.
struct CheckpointInfo {
  ModelConfig config;
  std::shared_ptr<Tokenizer> tokenizer;
  TaskCatalog tasks;  // in the order of the model's task vectors; empty before the first training
  std::optional<TaskFinder> finder;   // over the same tasks; set where there are any
  std::optional<ModelRoutes> routes;  // set where the model has pools of experts
};

// A checkpoint whose weights stay on the disk until they are asked for.
struct OpenCheckpoint {
  CheckpointInfo info;
  std::shared_ptr<const TensorFiles> files;
  std::string weights_id;  // CheckpointManifest's

  // The route of row `row` of the task vectors (or token gates); -1 gives that of a prompt without
  // a task.
  TaskRoute route(int64_t row) const;
  // Reads a tensor; Error kBadModel, which names it, where it is damaged or has a NaN or an
  // infinity.
  TensorReader reader(std::string where) const;
};

// What a reader of a checkpoint needs of it.
enum class Needs {
  kRoutes,   // resolved routes (routes.json), to answer with
  kNothing,  // weights alone: routes are resolved anew, or not at all
};

// Error kMissingInput when there is no checkpoint, kBadModel when a file is missing, damaged or
// does not fit config.json; the message names the file, and the tensor. Tensors are looked at, and
// checked, when they are read. A checkpoint that was saved without routes.json is a kBadModel that
// says what writes it.
OpenCheckpoint open_checkpoint(const std::filesystem::path& folder,
                               Verify verify = Verify::kChecksums, Needs needs = Needs::kRoutes);

// What the checkpoint's tasks.json says; no tasks for a model that was not trained on any. Errors
// kMissingInput, kBadModel.
TaskCatalog read_task_catalog(const std::filesystem::path& folder);

// Gives a checkpoint another task finder and leaves all else as it is. Errors as
// verify_checkpoint_folder and replace_checkpoint_folder.
void replace_task_finder(const std::filesystem::path& folder, const TaskFinder& finder);

struct SaveOptions {
  StorageKind storage = StorageKind::kFloat32;
  int64_t max_file_bytes = int64_t{1} << 32;
  // Writes more files in the folder before the manifest is made, so that they are saved, replaced
  // and verified together with the model (a training snapshot).
  std::function<void(const std::filesystem::path& folder)> write_more;
};

// Writes the checkpoint beside `folder` and then exchanges the two, so that a reader, or a crash,
// finds the old checkpoint or the new one, whole. Files of the old folder that its manifest does
// not name (a README) are kept. Error kExists when `folder` is something else than a checkpoint,
// kDiverged when a weight is NaN or infinite, kIo.
void save_checkpoint(const CheckpointInfo& info, const std::map<std::string, HostTensor>& tensors,
                     const std::filesystem::path& folder, const SaveOptions& options = {});

}  // namespace trivium
