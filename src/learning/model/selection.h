// From router logits to routing weights (docs/spec/task_level.md, section 3).
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "core/config/model_config.h"

namespace trivium::learning {

// tau(step) = max(initial * exp(-rate * step), minimum), step counted in optimiser steps.
struct TemperatureSchedule {
  double initial = 2.0;
  double minimum = 0.1;
  double rate = 3e-4;
  double at(int64_t step) const;
};

// Training: weights over experts that carry the router's gradient.
//   softmax                  softmax(z / tau)
//   gumbel_softmax           softmax((z + g) / tau)
//   gumbel_softmax_st        one-hot of the argmax of that forward, its gradient backward
// logits z: [layers, batch, num_experts]; gumbel_noise g: the same shape, or undefined for softmax.
torch::Tensor select_experts(const torch::Tensor& logits, SelectionKind kind, double temperature,
                             const torch::Tensor& gumbel_noise);

// Evaluation: without noise, so that a task's route is one thing: softmax(z / tau) in softmax mode,
// the argmax as one-hot in both Gumbel modes. (The reference keeps the noise on:
// docs/spec/parity.md, A2.)
torch::Tensor select_experts_for_inference(const torch::Tensor& logits, SelectionKind kind,
                                           double temperature);

// Constant routes (docs/spec/task_level.md, section 10): every row of [layers, rows, num_experts]
// gives `count` experts, drawn without replacement, the weight 1 / count.
torch::Tensor draw_random_routes(at::IntArrayRef shape, int64_t count, torch::Generator generator);

// Exploration, in training only: each row of `weights` [layers, batch, num_experts] becomes, with
// probability `epsilon`, a random expert's one-hot, through which no gradient flows. Both stacks
// alike, and not in place (the reference's decoder averages instead: docs/spec/parity.md, A12).
torch::Tensor explore(const torch::Tensor& weights, double epsilon, torch::Generator generator);

// Independent Gumbel(0, 1) draws: -log(Exp(1)).
torch::Tensor draw_gumbel(at::IntArrayRef shape, torch::Generator generator);

}  // namespace trivium::learning
