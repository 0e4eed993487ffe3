// One task's route as plain numbers.
#pragma once

#include <cstdint>
#include <vector>

namespace trivium {

// Weights over the experts of each layer; an ordinary layer has one weight, 1. Each row sums to 1.
struct TaskRoute {
  std::vector<std::vector<float>> encoder;  // [encoder_layers][num_experts or 1]
  std::vector<std::vector<float>> decoder;  // [decoder_layers][num_experts or 1]
  int64_t gates = 0;  // the row of the token gates; 0 where the model has none

  // The expert of the largest weight, the first of equals.
  static int64_t main_expert(const std::vector<float>& weights);
  bool operator==(const TaskRoute&) const = default;
};

}  // namespace trivium
