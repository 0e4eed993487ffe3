// An encoder with a head for every task: classification, regression, pairs of words, ranking
// (docs/spec/mt_tag.md, sections 1 to 4). The encoder's layers are the sequence-to-sequence
// model's.
#pragma once

#include <torch/torch.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/config/model_config.h"
#include "learning/model/batch.h"
#include "learning/model/stack.h"

namespace trivium::learning {

// A task's head: U [outputs, d_model] on the first token's state, or [outputs, 3 d_model] on that
// and the means of two spans of tokens.
struct HeadShape {
  std::string task;     // a name without "."
  int64_t outputs = 2;  // classes; 1: regression
  bool spans = false;
};

// One text, or a pair of texts, as ids: [CLS] a [SEP] or [CLS] a [SEP] b [SEP].
struct LabelledExample {
  int64_t task = 0;  // of the model's heads and gates
  std::vector<int32_t> ids;
  int64_t second = 0;  // where b begins; ids.size() without one
  int64_t label = 0;   // of a classification
  double value = 0;    // of a regression
  // Two spans of positions, first and one past the last, of a head that reads some.
  std::array<std::pair<int64_t, int64_t>, 2> spans{};
  int64_t group = 0;  // examples of one ranking share it
};

struct LabelledBatch {
  SourceBatch source;
  torch::Tensor segments;  // float32 [batch, len]: 1 at the tokens of b
  torch::Tensor task_ids;  // int64 [batch]
  torch::Tensor labels;    // int64 [batch]
  torch::Tensor values;    // float32 [batch]
  torch::Tensor spans;     // float32 [batch, 2, len]: weights that take the means of the spans
  LabelledBatch to(torch::Device device) const;
};
LabelledBatch collate_labelled(const std::vector<LabelledExample>& examples, int32_t pad_id);

class EncoderClassifierImpl : public torch::nn::Module {
 public:
  // Parameters are left uninitialised. The configuration has no decoder layers.
  EncoderClassifierImpl(const ModelConfig& config, const std::vector<HeadShape>& heads);

  const ModelConfig& config() const { return config_; }
  const std::vector<HeadShape>& heads() const { return heads_; }
  void set_dropout(const DropoutRates& rates) { encoder_->set_dropout(rates); }
  bool has_token_gates() const { return config_.token_experts.num_experts > 1; }
  // The token gates of all layers; empty where the model has none.
  std::vector<TokenGate> token_gates();

  // The final hidden states [batch, len, d_model].
  torch::Tensor encode(const LabelledBatch& batch);

  // The outputs of task `task`'s head for rows `rows` (int64) of the batch: [rows, outputs].
  torch::Tensor outputs(int64_t task, const torch::Tensor& hidden, const LabelledBatch& batch,
                        const torch::Tensor& rows);

  // The loss of every example (equations 9 and 10), [batch]: cross-entropy over ln(classes), or the
  // squared error.
  torch::Tensor losses(const torch::Tensor& hidden, const LabelledBatch& batch);

 private:
  ModelConfig config_;
  std::vector<HeadShape> heads_;
  torch::Tensor shared_weight_;   // [vocab_size, d_model]
  torch::Tensor segment_weight_;  // [1, d_model]: what b's tokens add to their embeddings
  EncoderStack encoder_{nullptr};
  std::vector<Linear> head_layers_;
};
TORCH_MODULE(EncoderClassifier);

// The rows (int64) of every task that occurs in a batch, by task.
std::vector<std::pair<int64_t, torch::Tensor>> rows_by_task(const torch::Tensor& task_ids);

}  // namespace trivium::learning
