// Vectors of tasks: random, or what a dense model makes of their texts; and the file that holds
// them for training (docs/spec/task_level.md, section 4).
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>
#include <vector>

#include "learning/model/batch.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// Vectors computed together, so that all lie in one space: seen tasks' and unseen tasks'.
struct TaskVectors {
  std::vector<std::string> tasks;
  torch::Tensor vectors;  // float32 [num_tasks, dim]

  // The rows of `names` in their order. Error kConfig where one is missing.
  torch::Tensor rows_of(const std::vector<std::string>& names, const std::string& where) const;
};

// One safetensors file: the tensor "vectors", and the names in its metadata. kIo.
void save_task_vectors(const TaskVectors& vectors, const std::filesystem::path& file);
// Error kMissingInput, or kBadModel where the file holds something else.
TaskVectors load_task_vectors(const std::filesystem::path& file);

// In the functions below example.task is the row; every task has an example. The result is
// [num_tasks, dim].

// The mean encoder state of up to `per_task` inputs of each task, over real tokens and then inputs,
// each dimension scaled to mean 0 and deviation 1 over the tasks; dim is d_model. (The reference
// means the decoder's states, pads included: docs/spec/parity.md, A18.)
torch::Tensor text_task_vectors(Seq2SeqModel& model, const std::vector<EncodedExample>& examples,
                                int64_t num_tasks, int64_t per_task);

// The same by an encoder of its own for each task: a copy of `dense` tuned on that task's examples.
// (The reference looks at one example of every batch of 8: docs/spec/parity.md, A19.)
torch::Tensor tuned_text_task_vectors(const Checkpoint& dense,
                                      const std::vector<EncodedExample>& examples,
                                      int64_t num_tasks, int64_t per_task, int64_t batch_size,
                                      const OptimiserSettings& settings);

// How the loss of each task's examples bends in the weights of bottleneck adapters behind every
// sub-layer: the diagonal of the empirical Fisher information, reduced to `dim` principal
// components over the tasks. See fisher_of_task for the adapters.
torch::Tensor fisher_task_vectors(const Checkpoint& dense,
                                  const std::vector<EncodedExample>& examples, int64_t num_tasks,
                                  int64_t dim, uint64_t seed);

// The Fisher diagonal of one task's examples, flat: [sub-layers * d_model * 8]. The adapters have
// width 8, down-projections ~ N(0, 1e-3) and up-projections of 0, so that the model is the
// pretrained one (the reference starts both at 1, which is far from it: docs/spec/parity.md, A20).
// There the down-projections have no gradient, and GELU(x) is x / 2 to 2 %: the gradient of an
// up-projection U behind the linear map W, b follows from those of W and b alone,
// dL/dU = (dL/dW W^T + dL/db b^T) D^T / 2, and no adapter needs to be built.
torch::Tensor fisher_of_task(const Checkpoint& dense, const std::vector<EncodedExample>& examples,
                             uint64_t seed);

// The first `dim` principal components of the rows of `matrix` [rows, columns], scaled to a mean
// square of 1: [rows, dim]. By the rows' Gram matrix, since columns may be many. Error kUsage
// unless dim < rows.
torch::Tensor principal_components(const torch::Tensor& matrix, int64_t dim);

}  // namespace trivium::learning
