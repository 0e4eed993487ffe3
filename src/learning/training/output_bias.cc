#include "learning/training/output_bias.h"

#include "core/base/error.h"

namespace trivium::learning {

void set_output_bias(Seq2SeqModel& model, const std::vector<EncodedExample>& examples) {
  torch::NoGradGuard no_grad;
  torch::Tensor counts = torch::zeros({model->config().vocab_size}, torch::kFloat64);
  auto count = counts.accessor<double, 1>();
  for (const EncodedExample& example : examples) {
    for (const int32_t token : example.target) count[token] += 1;
  }
  const double total = counts.sum().item<double>();
  check(total > 0, "targets have tokens");
  const double even = 0.5 / static_cast<double>(model->config().vocab_size);
  model->final_logits_bias().copy_((counts / (2 * total) + even).log().unsqueeze(0));
}

}  // namespace trivium::learning
