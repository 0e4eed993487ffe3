// Alarms of routes that collapse and of experts that starve, while a model is trained.
#pragma once

#include <torch/torch.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "learning/model/token_gate.h"

namespace trivium::learning {

// How much of what goes through each layer each expert gets.
struct ExpertUse {
  torch::Tensor amounts;          // float32 [layers, rows, experts] on the CPU
  std::vector<std::string> rows;  // what a row is, for people: a task; "" where it is all of them
  int64_t encoder_layers = 0;     // the layers after these are the decoder's
  double enough = 0;              // a row of less says nothing
};

// Of a router's logits [layers, tasks, experts], where a task is given the expert of the largest
// logit after Gumbel noise: the expected part of the examples, of all tasks together. A task that
// has one expert is what such routes are made for; a layer whose tasks all have the same is not.
ExpertUse use_of_logits(const torch::Tensor& logits, int64_t encoder_layers);

// Of token gates in the pass before, whose probabilities they recorded (TokenGate::record): the
// tokens of each task. The encoder's gates are the first `encoder_layers` ones. Masks: bool
// [batch, len]; task_ids: int64 [batch]. A task of fewer than 64 tokens says nothing.
ExpertUse use_of_gates(std::vector<TokenGate>& gates, int64_t encoder_layers,
                       const torch::Tensor& source_mask, const torch::Tensor& target_mask,
                       const torch::Tensor& task_ids, const std::vector<std::string>& tasks);

// Tells when an expert gets 95 % or more of a row of a layer (the row's route has collapsed), or
// not a thousandth of a layer (it starves).
class RouteWatch {
 public:
  // Warns, in one line, of what was not there before. Returns the curves of the moment:
  // largest_expert_share, collapsed_routes, starved_experts.
  std::vector<std::pair<std::string, double>> look(const ExpertUse& use);

 private:
  std::set<std::string> known_;  // the alarms that were given
};

}  // namespace trivium::learning
