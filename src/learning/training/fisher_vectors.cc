#include <string>

#include "core/base/error.h"
#include "learning/training/task_vectors.h"

namespace trivium::learning {
namespace {

constexpr int64_t kWidth = 8;  // of an adapter
constexpr double kDownStd = 1e-3;
constexpr double kSmoothing = 0.1;

// The linear map that ends a sub-layer, and what its adapter's gradient is made of.
struct SubLayerEnd {
  torch::Tensor weight, bias;    // the model's own
  torch::Tensor down_of_weight;  // W^T D^T / 2: [in, kWidth]
  torch::Tensor down_of_bias;    // D b / 2: [kWidth]
  torch::Tensor fisher;          // the sum of squared gradients: [d_model, kWidth]
};

bool ends_sub_layer(const std::string& name) {
  return name.ends_with(".out_proj.weight") || name.ends_with(".fc2.weight");
}

// Only the gradients of the sub-layers' ends are computed while in scope.
class OnlyTheirGradients {
 public:
  explicit OnlyTheirGradients(Seq2SeqModel model) : model_(std::move(model)) {
    for (auto& item : model_->named_parameters()) {
      const std::string& name = item.key();
      const bool wanted =
          ends_sub_layer(name) || name.ends_with(".out_proj.bias") || name.ends_with(".fc2.bias");
      if (item.value().requires_grad() && !wanted) paused_.push_back(item.value());
    }
    for (torch::Tensor& parameter : paused_) parameter.requires_grad_(false);
  }
  ~OnlyTheirGradients() {
    for (torch::Tensor& parameter : paused_) parameter.requires_grad_(true);
    for (torch::Tensor& parameter : model_->parameters()) parameter.mutable_grad().reset();
  }
  OnlyTheirGradients(const OnlyTheirGradients&) = delete;
  OnlyTheirGradients& operator=(const OnlyTheirGradients&) = delete;

 private:
  Seq2SeqModel model_;
  std::vector<torch::Tensor> paused_;
};

std::vector<SubLayerEnd> sub_layer_ends(const Seq2SeqModel& model, uint64_t seed) {
  torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto parameters = model->named_parameters();
  std::vector<SubLayerEnd> ends;
  for (const auto& item : parameters) {
    if (!ends_sub_layer(item.key())) continue;
    const std::string stem = item.key().substr(0, item.key().size() - std::string("weight").size());
    SubLayerEnd end;
    end.weight = item.value();
    end.bias = parameters[stem + "bias"];
    const int64_t d_model = end.weight.size(0);
    const torch::Tensor down = torch::randn({kWidth, d_model}, generator) * (kDownStd / 2);
    end.down_of_weight = torch::matmul(end.weight.t(), down.t());
    end.down_of_bias = torch::matmul(down, end.bias);
    end.fisher = torch::zeros({d_model, kWidth});
    ends.push_back(std::move(end));
  }
  return ends;
}

// The summed loss of one example.
torch::Tensor loss_of(const Checkpoint& dense, const EncodedExample& example) {
  Seq2SeqModel model = dense.model;
  const Batch batch =
      collate({example}, dense.config().pad_token_id, dense.config().decoder_start_token_id);
  return model->loss(batch, RoutingWeights{}, /*weights=*/{}, kSmoothing).sum;
}

}  // namespace

torch::Tensor fisher_of_task(const Checkpoint& dense, const std::vector<EncodedExample>& examples,
                             uint64_t seed) {
  check(!dense.model->is_routed() && !examples.empty(), "a dense model and a task's examples");
  Seq2SeqModel model = dense.model;
  model->eval();
  const OnlyTheirGradients scope(model);
  std::vector<SubLayerEnd> ends = sub_layer_ends(model, seed);
  for (const EncodedExample& example : examples) {
    for (SubLayerEnd& end : ends) {
      end.weight.mutable_grad().reset();
      end.bias.mutable_grad().reset();
    }
    loss_of(dense, example).backward();
    torch::NoGradGuard no_grad;
    for (SubLayerEnd& end : ends) {
      const torch::Tensor gradient = torch::matmul(end.weight.grad(), end.down_of_weight) +
                                     torch::outer(end.bias.grad(), end.down_of_bias);
      end.fisher += gradient.square();
    }
  }
  std::vector<torch::Tensor> parts;
  for (const SubLayerEnd& end : ends) {
    parts.push_back((end.fisher / static_cast<double>(examples.size())).flatten());
  }
  return torch::cat(parts);
}

}  // namespace trivium::learning
