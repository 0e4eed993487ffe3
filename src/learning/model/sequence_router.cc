#include "learning/model/sequence_router.h"

#include <stdexcept>

namespace trivium::learning {
namespace {

// A body reads the layers' inputs, [batch, layers, in], and gives states [batch, layers, out].

// One layer of a bidirectional RNN, GRU or LSTM of width router_hidden_dim.
template <typename Rnn, typename Options>
class RecurrentBodyImpl : public Rnn {
 public:
  RecurrentBodyImpl(int64_t in, int64_t hidden)
      : Rnn(Options(in, hidden).batch_first(true).bidirectional(true)), out_(2 * hidden) {}

  int64_t out() const { return out_; }
  torch::Tensor run(const torch::Tensor& inputs) { return std::get<0>(Rnn::forward(inputs)); }
  void init_weights(double) { this->reset_parameters(); }

 private:
  int64_t out_;
};
using RnnBody = RecurrentBodyImpl<torch::nn::RNNImpl, torch::nn::RNNOptions>;
using GruBody = RecurrentBodyImpl<torch::nn::GRUImpl, torch::nn::GRUOptions>;
using LstmBody = RecurrentBodyImpl<torch::nn::LSTMImpl, torch::nn::LSTMOptions>;

// One post-LayerNorm Transformer layer of 4 heads with ReLU and dropout.
class TransformerBody : public torch::nn::TransformerEncoderLayerImpl {
 public:
  TransformerBody(int64_t in, int64_t hidden)
      : TransformerEncoderLayerImpl(torch::nn::TransformerEncoderLayerOptions(in, kRouterHeads)
                                        .dim_feedforward(hidden)
                                        .dropout(0.1)),
        out_(in) {}

  int64_t out() const { return out_; }

  torch::Tensor run(const torch::Tensor& inputs) {
    return forward(inputs.transpose(0, 1)).transpose(0, 1);  // LibTorch's has the batch second
  }

  void init_weights(double std) {
    self_attn->_reset_parameters();
    init_linear(self_attn->out_proj->weight, self_attn->out_proj->bias, std);
    for (torch::nn::Linear& linear : {std::ref(linear1), std::ref(linear2)}) {
      init_linear(linear->weight, linear->bias, std);
    }
    norm1->reset_parameters();
    norm2->reset_parameters();
  }

 private:
  int64_t out_;
};

// The layers differ in what the body reads: the shared kinds add a row of a table of positions to
// the task's vector, the layer-specific ones project it once a layer.
template <typename Body>
class SequenceRouter : public TaskRouterImpl {
 public:
  SequenceRouter(const RoutingConfig& config, int64_t layers, bool layer_specific)
      : num_layers_(layers),
        body_(std::make_shared<Body>(
            layer_specific ? config.router_hidden_dim : config.task_vector_dim,
            config.router_hidden_dim)) {
    if (layer_specific) {
      expand_ = register_module("expand",
                                Linear(config.task_vector_dim, config.router_hidden_dim * layers));
    } else {
      positions_ = register_parameter("positions", torch::empty({layers, config.task_vector_dim}));
    }
    register_module("body", body_);
    out_ = register_module("out", Linear(body_->out(), config.num_experts));
  }

  torch::Tensor forward(const torch::Tensor& task_vectors) override {
    const torch::Tensor inputs =
        positions_.defined() ? task_vectors.unsqueeze(1) + positions_
                             : expand_(task_vectors).view({task_vectors.size(0), num_layers_, -1});
    return out_(body_->run(inputs)).transpose(0, 1);
  }

  void init_weights(double std) override {
    torch::NoGradGuard no_grad;
    if (positions_.defined()) {
      positions_.normal_(0, std);
    } else {
      init_linear(expand_->weight, expand_->bias, std);
    }
    body_->init_weights(std);
    init_linear(out_->weight, out_->bias, std);
  }

 private:
  int64_t num_layers_;
  torch::Tensor positions_;  // [layers, task_vector_dim]
  Linear expand_{nullptr};
  std::shared_ptr<Body> body_;
  Linear out_{nullptr};
};

}  // namespace

void init_linear(torch::Tensor weight, torch::Tensor bias, double std) {
  torch::NoGradGuard no_grad;
  weight.normal_(0, std);
  bias.zero_();
}

std::shared_ptr<TaskRouterImpl> make_sequence_router(const RoutingConfig& config, int64_t layers) {
  switch (config.router) {
    case RouterKind::kRnn:
      return std::make_shared<SequenceRouter<RnnBody>>(config, layers, false);
    case RouterKind::kGru:
      return std::make_shared<SequenceRouter<GruBody>>(config, layers, false);
    case RouterKind::kLstm:
      return std::make_shared<SequenceRouter<LstmBody>>(config, layers, false);
    case RouterKind::kTransformer:
      return std::make_shared<SequenceRouter<TransformerBody>>(config, layers, false);
    case RouterKind::kRnnLayerSpecific:
      return std::make_shared<SequenceRouter<RnnBody>>(config, layers, true);
    case RouterKind::kGruLayerSpecific:
      return std::make_shared<SequenceRouter<GruBody>>(config, layers, true);
    case RouterKind::kLstmLayerSpecific:
      return std::make_shared<SequenceRouter<LstmBody>>(config, layers, true);
    case RouterKind::kTransformerLayerSpecific:
      return std::make_shared<SequenceRouter<TransformerBody>>(config, layers, true);
    case RouterKind::kLinear:
    case RouterKind::kLinearLayerSpecific:
      break;
  }
  throw std::logic_error("not a router over a sequence");
}

}  // namespace trivium::learning
