// What is said of a step whose loss or gradient is no number.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

namespace trivium::learning {

// One clause that names the tasks whose loss is not finite (else all of the step's), and a tensor
// of the model whose gradient is not: an expert's, where there is one, since experts tell tasks
// apart, and the one nearest to the loss, where an error that arises on the way back arises. Names
// that are empty are left out.
std::string unfinite_step_text(const torch::nn::Module& model, double loss,
                               const std::vector<std::string>& unfinite_tasks,
                               const std::vector<std::string>& tasks);

// "decoder layer 1, expert 2 (decoder.layers.1.experts.2.fc1.weight)"; the bare name of what lies
// in no layer.
std::string place_of_tensor(const std::string& name);

}  // namespace trivium::learning
