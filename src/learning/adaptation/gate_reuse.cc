#include "learning/adaptation/gate_reuse.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

constexpr size_t kBatch = 32;

// Runs `handle(batch, hidden)` over the examples in batches.
template <typename Handle>
void for_each_batch(EncoderClassifier& model, const std::vector<LabelledExample>& examples,
                    int32_t pad_id, Handle&& handle) {
  torch::NoGradGuard no_grad;
  const torch::Device device = model->parameters().front().device();
  for (size_t begin = 0; begin < examples.size(); begin += kBatch) {
    const size_t end = std::min(examples.size(), begin + kBatch);
    const LabelledBatch batch = collate_labelled({examples.begin() + static_cast<int64_t>(begin),
                                                  examples.begin() + static_cast<int64_t>(end)},
                                                 pad_id)
                                    .to(device);
    handle(batch, model->encode(batch));
  }
}

// The task of the checkpoint that is nearest to one that it does not know.
int64_t nearest_task(const ClassifierCheckpoint& checkpoint, const std::string& task,
                     const std::filesystem::path& folder, const TaskTexts& texts) {
  // Its heads are not used; without options it has no gates.
  ClassifierCheckpoint encoder = import_classifier(folder, checkpoint.tasks, {});
  const auto vector_of = [&](const std::string& name) {
    std::vector<LabelledExample> examples = texts(name, *encoder.tokenizer);
    if (examples.size() > static_cast<size_t>(kTextsOfAVector)) {
      examples.resize(static_cast<size_t>(kTextsOfAVector));
    }
    return mean_state(encoder, examples);
  };
  std::vector<torch::Tensor> vectors;
  for (const LabelledTaskInfo& known : checkpoint.tasks) vectors.push_back(vector_of(known.name));
  return nearest_vector(torch::stack(vectors), vector_of(task));
}

}  // namespace

torch::Tensor mean_state(ClassifierCheckpoint& encoder,
                         const std::vector<LabelledExample>& examples) {
  check(!examples.empty(), "a task's vector needs examples");
  encoder.model->eval();
  torch::Tensor sum = torch::zeros({encoder.config.d_model});
  double tokens = 0;
  for_each_batch(
      encoder.model, examples, encoder.config.pad_token_id,
      [&](const LabelledBatch& batch, const torch::Tensor& hidden) {
        sum += (hidden * batch.source.mask.unsqueeze(2)).sum(at::IntArrayRef{0, 1}).to(torch::kCPU);
        tokens += batch.source.mask.sum().item<double>();
      });
  return sum / tokens;
}

int64_t nearest_vector(const torch::Tensor& vectors, const torch::Tensor& vector) {
  const torch::Tensor mean = vectors.mean(0);
  return torch::cosine_similarity(vectors - mean, (vector - mean).unsqueeze(0))
      .argmax()
      .item<int64_t>();
}

std::optional<int64_t> gate_row(const ClassifierCheckpoint& checkpoint, const std::string& task,
                                const GateChoice& choice, const std::filesystem::path& encoder,
                                const TaskTexts& texts) {
  if (checkpoint.config.token_experts.num_experts == 1 ||
      checkpoint.config.token_experts.gates == TokenGates::kShared) {
    return std::nullopt;
  }
  const auto known = std::find_if(checkpoint.tasks.begin(), checkpoint.tasks.end(),
                                  [&](const LabelledTaskInfo& info) { return info.name == task; });
  switch (choice.start) {
    case GateStart::kNew:
      return std::nullopt;
    case GateStart::kOwn:
      return checkpoint.index_of(task);
    case GateStart::kTask:
      return checkpoint.index_of(choice.task);
    case GateStart::kNearest:
      break;
  }
  if (known != checkpoint.tasks.end()) return known - checkpoint.tasks.begin();
  if (encoder.empty()) {
    throw Error(ExitCode::kUsage,
                "to find the task nearest to " + task +
                    ", name with --encoder the BERT or MiniLM folder that the classifier was made "
                    "from; or name a known task, or random, with --gates");
  }
  return nearest_task(checkpoint, task, encoder, texts);
}

std::vector<std::vector<double>> expert_use(EncoderClassifier& model,
                                            const std::vector<LabelledExample>& examples,
                                            int32_t pad_id) {
  std::vector<TokenGate> gates = model->token_gates();
  check(!gates.empty(), "only token gates choose experts");
  const int64_t num_experts = model->config().token_experts.num_experts;
  std::vector<std::vector<double>> use(gates.size(),
                                       std::vector<double>(static_cast<size_t>(num_experts), 0));
  for (TokenGate& gate : gates) gate->record(true);
  double tokens = 0;
  for_each_batch(model, examples, pad_id, [&](const LabelledBatch& batch, const torch::Tensor&) {
    const torch::Tensor real = batch.source.mask.flatten();
    tokens += real.sum().item<double>();
    for (size_t l = 0; l < gates.size(); ++l) {
      const torch::Tensor experts =
          gates[l]->recorded().argmax(-1).flatten().masked_select(real).to(torch::kCPU);
      const torch::Tensor counts = torch::bincount(experts, {}, num_experts);
      for (int64_t e = 0; e < num_experts; ++e) {
        use[l][static_cast<size_t>(e)] += counts[e].item<double>();
      }
    }
  });
  for (TokenGate& gate : gates) gate->record(false);
  for (auto& layer : use) {
    for (double& share : layer) share /= tokens;
  }
  return use;
}

}  // namespace trivium::learning
