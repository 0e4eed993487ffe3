// The checkpoint folder: config.json (Hugging Face's keys and trivium's own), *.safetensors, the
// tokenizer's files, tasks.json, task_finder.json where there are tasks, and manifest.json with the
// size and SHA-256 of each, written last.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/named_tensors.h"
#include "config/model_config.h"
#include "data/task_catalog.h"
#include "data/task_finder.h"
#include "model/seq2seq_model.h"
#include "tokenizers/tokenizer.h"

namespace trivium {

struct Checkpoint {
  ModelConfig config;
  Seq2SeqModel model{nullptr};
  std::shared_ptr<Tokenizer> tokenizer;
  TaskCatalog tasks;  // in the order of the model's task vectors; empty before the first training
  std::optional<TaskFinder> finder;  // over the same tasks; set where there are any
};

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
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& folder,
                     const SaveOptions& options = {});

// Error kMissingInput when there is no checkpoint, kBadModel when a file is missing, damaged or
// does not fit config.json; the message names the file, and the tensor.
Checkpoint load_checkpoint(const std::filesystem::path& folder, Verify verify = Verify::kSizes);

// A checkpoint whose model holds nothing but what gives tasks their routes (router, task vectors,
// table); its other tensors are empty, and stay in `files` until they are asked for.
struct OpenCheckpoint {
  Checkpoint checkpoint;
  std::shared_ptr<const TensorFiles> files;
};

// Errors as load_checkpoint, but that the values of the tensors left in `files` are not looked at.
OpenCheckpoint open_checkpoint(const std::filesystem::path& folder);

// Error kBadModel where tensor `name` of `where` has a NaN or an infinity.
void refuse_damaged(const torch::Tensor& tensor, const std::string& name, const std::string& where);

// A model of `config` that holds `tensors`: every parameter by its name and shape, none missing,
// none unknown (Error kBadModel beginning with `where`). The tensors become the model's own; no two
// may share memory. The number of tasks is the rows of task_vectors.weight, or
// of route_table.weight.
Seq2SeqModel model_from_tensors(const ModelConfig& config, NamedTensors tensors,
                                const std::string& where);

// Gives every parameter and buffer of `module` the tensor of its name, as its own; the rules and
// errors are those of model_from_tensors.
void fill_module(torch::nn::Module& module, NamedTensors tensors, const std::string& where);

// Every parameter and buffer by name, sharing the model's memory.
NamedTensors module_tensors(const torch::nn::Module& module);
NamedTensors model_tensors(const Seq2SeqModel& model);
// The same in memory of their own.
NamedTensors copied_tensors(const torch::nn::Module& module);
NamedTensors copied_tensors(const Seq2SeqModel& model);

// Error kBadModel where config.json asks for far more than `tensors` hold: a hostile one beside
// small weights must not make the model allocate gigabytes.
void refuse_oversized(const ModelConfig& config, const NamedTensors& tensors,
                      const std::string& where);

// Error kDiverged, which names `folder` as what is not written, where a tensor has a NaN or an
// infinity.
void refuse_unfinite(const NamedTensors& tensors, const std::filesystem::path& folder);

}  // namespace trivium
