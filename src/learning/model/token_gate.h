// Experts chosen token by token: the gates, and the order in which tokens meet their experts
// (docs/spec/mt_tag.md, section 1).
#pragma once

#include <torch/torch.h>

#include <vector>

#include "core/config/model_config.h"

namespace trivium::learning {

// The gates of one model: every layer has as many, and they may share the tasks' embeddings.
struct GateTable {
  int64_t count = 1;         // rows: the tasks, or 1
  torch::Tensor embeddings;  // [count, gate_embedding_dim]; undefined: gates have their own weights
};

// The gates of one layer, W [count, num_experts, d_model] without bias: logits of token x of task t
// are W_t x. The weights are a parameter, or a linear function of the tasks' embeddings.
class TokenGateImpl : public torch::nn::Module {
 public:
  TokenGateImpl(int64_t d_model, const TokenExpertConfig& config, GateTable table);

  // hidden: [batch, len, d_model]; rows: int64 [batch], each example's gate; undefined: the first.
  // Returns probabilities [batch, len, num_experts], in float32 where hidden is narrower.
  torch::Tensor forward(const torch::Tensor& hidden, const torch::Tensor& rows);

  // W of all gates: [count, num_experts, d_model].
  torch::Tensor weights() const;

  // Keeps what the next forward passes choose, for maps of gates and counts of use.
  void record(bool on) { recording_ = on; }
  // The last pass's probabilities, [batch, len, num_experts]; undefined where none was kept.
  const torch::Tensor& recorded() const { return recorded_; }

 private:
  int64_t d_model_;
  int64_t num_experts_;
  GateTable table_;
  torch::Tensor weight_;     // [count, num_experts, d_model], of gates with their own weights
  torch::Tensor generator_;  // [num_experts * d_model, gate_embedding_dim], of the others
  bool recording_ = false;
  torch::Tensor recorded_;
};
TORCH_MODULE(TokenGate);

// A batch's real tokens in the order of their experts, so that each expert is one matrix product.
// "Position" is that of the flattened [batch * len].
struct TokenDispatch {
  torch::Tensor order;          // int64 [rows]: the position of each row's token; stable
  torch::Tensor place;          // int64 [batch * len]: its inverse; `rows` at pads
  torch::Tensor filling;        // int64: the rows that hold no token, whose order is 0
  std::vector<int64_t> counts;  // rows of each expert
};

// experts: int64 [batch, len], each in [0, num_experts); real: bool [batch, len], or undefined
// where all are. The rows of every expert that has some are filled up to a multiple of `multiple`:
// oneDNN compiles a kernel for every new number of rows, which training would pay for in every
// step.
TokenDispatch dispatch_tokens(const torch::Tensor& experts, const torch::Tensor& real,
                              int64_t num_experts, int64_t multiple = 1);

// hidden: [batch * len, d] -> [rows, d] in the dispatch's order. What the filling holds is of no
// use, and gets no gradient.
torch::Tensor gather_tokens(const torch::Tensor& hidden, const TokenDispatch& dispatch);
// The way back: [rows, d] -> [batch * len, d], 0 at pads.
torch::Tensor scatter_tokens(const torch::Tensor& tokens, const TokenDispatch& dispatch);

}  // namespace trivium::learning
