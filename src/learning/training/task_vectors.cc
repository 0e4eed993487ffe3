#include "learning/training/task_vectors.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/logging.h"
#include "core/base/text.h"
#include "core/checkpoint/safetensors.h"
#include "learning/training/tuned_copy.h"

namespace trivium::learning {
namespace {

constexpr const char* kTensor = "vectors";
constexpr const char* kTasks = "tasks";  // of the metadata: a JSON list of names

// Mean over inputs of the mean encoder state over real tokens: [d_model].
torch::Tensor mean_state(Seq2SeqModel& model, const std::vector<std::vector<int32_t>>& inputs) {
  torch::NoGradGuard no_grad;
  const SourceBatch source = collate_sources(inputs, model->config().pad_token_id);
  const torch::Tensor hidden = model->encode(source.ids, source.mask, {});
  const torch::Tensor mask = source.mask.unsqueeze(2).to(hidden.scalar_type());
  return ((hidden * mask).sum(1) / mask.sum(1)).mean(0);
}

torch::Tensor standardised(const torch::Tensor& vectors) {
  return (vectors - vectors.mean(0)) / (vectors.std(0, /*unbiased=*/false) + 1e-6);
}

std::vector<std::vector<int32_t>> first_inputs(const std::vector<EncodedExample>& examples,
                                               int64_t count) {
  std::vector<std::vector<int32_t>> inputs;
  for (const EncodedExample& example : examples) {
    if (static_cast<int64_t>(inputs.size()) < count) inputs.push_back(example.source);
  }
  return inputs;
}

// The examples of each task; every task has one.
std::vector<std::vector<EncodedExample>> by_task(const std::vector<EncodedExample>& examples,
                                                 int64_t num_tasks) {
  std::vector<std::vector<EncodedExample>> tasks(static_cast<size_t>(num_tasks));
  for (const EncodedExample& example : examples) {
    tasks.at(static_cast<size_t>(example.task)).push_back(example);
  }
  for (const auto& task : tasks) check(!task.empty(), "every task has an example");
  return tasks;
}

}  // namespace

torch::Tensor TaskVectors::rows_of(const std::vector<std::string>& names,
                                   const std::string& where) const {
  std::vector<int64_t> rows;
  for (const std::string& name : names) {
    const auto found = std::find(tasks.begin(), tasks.end(), name);
    if (found == tasks.end()) {
      throw Error(ExitCode::kConfig, where + " has no vector of the task " + name +
                                         name_hint(name, tasks) +
                                         "; make one with trivium task vector");
    }
    rows.push_back(found - tasks.begin());
  }
  return vectors.index_select(0, torch::tensor(rows, torch::kInt64));
}

void save_task_vectors(const TaskVectors& vectors, const std::filesystem::path& file) {
  check(vectors.vectors.size(0) == static_cast<int64_t>(vectors.tasks.size()), "a row a task");
  const torch::Tensor rows = vectors.vectors.to(torch::kCPU, torch::kFloat32).contiguous();
  write_safetensors(file,
                    {{kTensor,
                      Dtype::kF32,
                      rows.sizes().vec(),
                      {static_cast<const std::byte*>(rows.data_ptr()), rows.nbytes()}}},
                    {{kTasks, to_json_line(vectors.tasks)}});
}

TaskVectors load_task_vectors(const std::filesystem::path& file) {
  const SafetensorsReader reader(file);
  const auto require = [&](bool condition, const char* problem) {
    if (!condition) throw Error(ExitCode::kBadModel, file.string() + ": " + problem);
  };
  require(reader.metadata().contains(kTasks), "the file has no names of tasks");
  require(reader.entries().size() == 1, "not a file of task vectors");
  const TensorEntry& entry = reader.entries().front();
  require(entry.name == kTensor && entry.dtype == Dtype::kF32 && entry.shape.size() == 2,
          "not a file of task vectors");
  TaskVectors result;
  const Json names = parse_json(reader.metadata().at(kTasks), file.string(), ExitCode::kBadModel);
  require(names.is_array(), "the names of tasks are no list");
  for (const Json& name : names) {
    require(name.is_string(), "a task's name is no text");
    result.tasks.push_back(name.get<std::string>());
  }
  require(entry.shape[0] == static_cast<int64_t>(result.tasks.size()), "not one row a task");
  require(entry.shape[0] > 0 && entry.shape[1] > 0, "the vectors are empty");
  result.vectors = torch::empty(entry.shape);
  reader.read(entry, {static_cast<std::byte*>(result.vectors.data_ptr()), result.vectors.nbytes()});
  require(torch::isfinite(result.vectors).all().item<bool>(), "a vector has a NaN or an infinity");
  return result;
}

torch::Tensor text_task_vectors(Seq2SeqModel& model, const std::vector<EncodedExample>& examples,
                                int64_t num_tasks, int64_t per_task) {
  check(!model->is_routed(), "text vectors are the dense model's");
  model->eval();
  std::vector<torch::Tensor> rows;
  for (const auto& task : by_task(examples, num_tasks)) {
    rows.push_back(mean_state(model, first_inputs(task, per_task)));
  }
  return standardised(torch::stack(rows));
}

torch::Tensor tuned_text_task_vectors(const Checkpoint& dense,
                                      const std::vector<EncodedExample>& examples,
                                      int64_t num_tasks, int64_t per_task, int64_t batch_size,
                                      const OptimiserSettings& settings) {
  std::vector<torch::Tensor> rows;
  for (const auto& task : by_task(examples, num_tasks)) {
    Checkpoint tuned = tuned_copy(dense, task, batch_size, settings);
    rows.push_back(mean_state(tuned.model, first_inputs(task, per_task)));
    spdlog::info("text vector {} of {}", rows.size(), num_tasks);
  }
  return standardised(torch::stack(rows));
}

torch::Tensor fisher_task_vectors(const Checkpoint& dense,
                                  const std::vector<EncodedExample>& examples, int64_t num_tasks,
                                  int64_t dim, uint64_t seed) {
  std::vector<torch::Tensor> rows;
  for (const auto& task : by_task(examples, num_tasks)) {
    const torch::Tensor fisher = fisher_of_task(dense, task, seed);
    // Its direction: its length says mostly how high the loss is.
    rows.push_back(fisher / (fisher.norm() + 1e-30));
    spdlog::info("Fisher vector {} of {}", rows.size(), num_tasks);
  }
  return principal_components(torch::stack(rows), dim);
}

torch::Tensor principal_components(const torch::Tensor& matrix, int64_t dim) {
  const int64_t rows = matrix.size(0);
  if (dim < 1 || dim >= rows) {
    throw Error(ExitCode::kUsage, std::to_string(rows) + " tasks have at most " +
                                      std::to_string(rows - 1) +
                                      " principal components; ask for a --dim up to that");
  }
  const torch::Tensor centred = (matrix - matrix.mean(0)).to(torch::kFloat64);
  // Ascending eigenvalues; row i of U * sqrt(lambda) holds row i's scores.
  const auto [values, basis] = at::linalg_eigh(torch::matmul(centred, centred.t()), "L");
  torch::Tensor scores = basis * values.clamp_min(0).sqrt();
  scores = scores.flip(1).narrow(1, 0, dim);
  // An eigenvector's sign is arbitrary: let its largest element be positive.
  const torch::Tensor largest = scores.gather(0, scores.abs().argmax(0, /*keepdim=*/true));
  scores = scores * torch::where(largest < 0, -1.0, 1.0);
  return (scores / (scores.square().mean().sqrt() + 1e-30)).to(torch::kFloat32);
}

}  // namespace trivium::learning
