#include "learning/reference/classifier_gates.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

// Has the gates keep what they choose, as long as it lives.
class Recording {
 public:
  explicit Recording(std::vector<TokenGate> gates) : gates_(std::move(gates)) {
    check(!gates_.empty(), "only token gates choose experts");
    for (TokenGate& gate : gates_) gate->record(true);
  }
  ~Recording() {
    for (TokenGate& gate : gates_) gate->record(false);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // Layers begin..end-1, as they chose for the only row.
  GateMapStack stack(const std::string& name, const Tokenizer& tokenizer,
                     const std::vector<int32_t>& ids, size_t begin, size_t end) {
    GateMapStack stack{name, {}, {}, {}};
    for (const int32_t id : ids) stack.tokens.push_back(tokenizer.token(id));
    for (size_t l = begin; l < end; ++l) {
      const auto [probability, expert] =
          gates_[l]->recorded()[0].to(torch::kCPU, torch::kFloat32).max(-1);
      const torch::Tensor p = probability.contiguous(), e = expert.contiguous();
      stack.experts.emplace_back(e.data_ptr<int64_t>(), e.data_ptr<int64_t>() + e.numel());
      stack.probabilities.emplace_back(p.data_ptr<float>(), p.data_ptr<float>() + p.numel());
    }
    return stack;
  }

 private:
  std::vector<TokenGate> gates_;
};

}  // namespace

GateMap gate_map(Seq2SeqModel& model, const Tokenizer& tokenizer,
                 const std::vector<int32_t>& source, const std::vector<int32_t>& decoder_input,
                 int64_t task, const std::string& name) {
  torch::InferenceMode inference;
  Recording recording(model->token_gates());
  const torch::Device device = model->shared_weight().device();
  const auto row = [&](const std::vector<int32_t>& ids) {
    return torch::tensor(std::vector<int64_t>(ids.begin(), ids.end()), torch::kInt64)
        .unsqueeze(0)
        .to(device);
  };
  const torch::Tensor ids = row(source);
  const torch::Tensor mask = torch::ones_like(ids, torch::kBool);
  const torch::Tensor tasks = torch::full({1}, task, torch::kInt64).to(device);
  const torch::Tensor memory = model->encode(ids, mask, {}, tasks);
  const auto layers = static_cast<size_t>(model->config().encoder_layers);
  GateMap map{name, model->config().token_experts.num_experts, {}};
  map.stacks.push_back(recording.stack("encoder", tokenizer, source, 0, layers));
  if (decoder_input.empty()) return map;
  model->decode(row(decoder_input), memory, mask, {}, tasks);
  map.stacks.push_back(recording.stack("decoder", tokenizer, decoder_input, layers,
                                       static_cast<size_t>(model->num_layers())));
  return map;
}

GateMap gate_map(ClassifierCheckpoint& classifier, const LabelledExample& example) {
  torch::InferenceMode inference;
  classifier.model->eval();
  Recording recording(classifier.model->token_gates());
  classifier.model->encode(collate_labelled({example}, classifier.config.pad_token_id)
                               .to(classifier.model->parameters().front().device()));
  GateMap map{classifier.tasks.at(static_cast<size_t>(example.task)).name,
              classifier.config.token_experts.num_experts,
              {}};
  map.stacks.push_back(recording.stack("encoder", *classifier.tokenizer, example.ids, 0,
                                       static_cast<size_t>(classifier.config.encoder_layers)));
  return map;
}

}  // namespace trivium::learning
