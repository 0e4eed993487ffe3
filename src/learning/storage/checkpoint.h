// A checkpoint with its model in memory, to be trained; core/checkpoint has the folder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/checkpoint/checkpoint.h"
#include "learning/model/seq2seq_model.h"
#include "learning/storage/named_tensors.h"

namespace trivium::learning {

struct Checkpoint {
  Seq2SeqModel model{nullptr};
  std::shared_ptr<Tokenizer> tokenizer;
  TaskCatalog tasks;  // in the order of the model's task vectors; empty before the first training
  std::optional<TaskFinder> finder;  // over the same tasks; set where there are any

  // The model's, so that the two cannot differ.
  const ModelConfig& config() const { return model->config(); }
};

// As the core's save_checkpoint, with the routes resolved.
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& folder,
                     const SaveOptions& options = {});

// Errors as the core's open_checkpoint, and kBadModel where a tensor has a NaN or an infinity; a
// checkpoint that was saved without its routes is none.
Checkpoint load_checkpoint(const std::filesystem::path& folder, Verify verify = Verify::kChecksums);

// Writes routes.json into a checkpoint that was saved without it; all its other files stay as they
// are. Returns whether it was missing. Errors as load_checkpoint and save_checkpoint.
bool resolve_routes(const std::filesystem::path& folder);

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

// As the core's, of the elements that `tensors` hold.
void refuse_oversized(const ModelConfig& config, const NamedTensors& tensors,
                      const std::string& where);

// Error kDiverged, which names `folder` as what is not written, where a tensor has a NaN or an
// infinity.
void refuse_unfinite(const NamedTensors& tensors, const std::filesystem::path& folder);

}  // namespace trivium::learning
