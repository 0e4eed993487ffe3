#include "learning/model/torch_step_decoder.h"

#include <numeric>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

torch::Tensor take_rows(const torch::Tensor& tensor, const torch::Tensor& index) {
  return tensor.defined() ? tensor.index_select(0, index) : tensor;
}

}  // namespace

TorchStepDecoder::TorchStepDecoder(Seq2SeqModel model, const torch::Tensor& source,
                                   const torch::Tensor& mask, const RoutingWeights& route)
    : model_(std::move(model)),
      rows_(source.size(0)),
      decoder_weights_(route.decoder),
      task_ids_(route.task_ids) {
  torch::InferenceMode inference;
  const torch::Tensor memory =
      model_->encode(source, mask, make_stack_plan(route.encoder), task_ids_);
  const torch::Tensor keys = attention_mask(mask);
  plan_ = make_stack_plan(decoder_weights_);
  auto& layers = model_->decoder()->layers();
  caches_.resize(layers.size());
  for (size_t l = 0; l < layers.size(); ++l) {
    auto& experts = layers[l].experts;
    caches_[l].resize(experts.size());
    for (size_t e = 0; e < experts.size(); ++e) {
      ExpertCache& cache = caches_[l][e];
      ExpertRows rows{rows_, {}};
      if (experts.size() > 1) rows = plan_[l].active[e];
      if (rows.count == 0) continue;
      cache.rows.resize(rows.count);
      if (rows.all()) {
        std::iota(cache.rows.begin(), cache.rows.end(), int64_t{0});
      } else {
        const torch::Tensor host = rows.index.to(torch::kCPU);
        std::copy_n(host.data_ptr<int64_t>(), rows.count, cache.rows.begin());
      }
      cache.mask = rows.of(keys);
      cache.layer = experts[e]->start(rows.of(memory));
    }
  }
}

std::span<const float> TorchStepDecoder::step(std::span<const int32_t> tokens) {
  check(static_cast<int64_t>(tokens.size()) == rows_, "one token a row");
  const int64_t limit = model_->config().max_position_embeddings;
  if (position_ >= limit) {
    throw Error(ExitCode::kUsage, "the output is longer than the model's " + std::to_string(limit) +
                                      " positions; lower --max-length");
  }
  torch::InferenceMode inference;
  const torch::Device device = model_->shared_weight().device();
  torch::Tensor ids = torch::tensor(c10::ArrayRef<int32_t>(tokens.data(), tokens.size()),
                                    torch::dtype(torch::kInt32))
                          .to(device, torch::kInt64)
                          .unsqueeze(1);
  torch::Tensor hidden =
      model_->decoder()->embed(torch::embedding(model_->shared_weight(), ids), position_);
  auto& layers = model_->decoder()->layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    if (layers[l].experts.size() == 1) {
      hidden =
          layers[l].experts[0]->step(hidden, caches_[l][0].layer, caches_[l][0].mask, task_ids_);
    } else {
      hidden = step_pool(l, hidden);
    }
  }
  ++position_;
  logits_ = model_->logits(hidden.squeeze(1)).to(torch::kCPU, torch::kFloat32).contiguous();
  return {logits_.data_ptr<float>(), static_cast<size_t>(logits_.numel())};
}

torch::Tensor TorchStepDecoder::step_pool(size_t layer, const torch::Tensor& hidden) {
  auto& experts = model_->decoder()->layers()[layer].experts;
  return mix_experts(plan_[layer], hidden, [&](int64_t e, const ExpertRows& rows) {
    ExpertCache& cache = caches_[layer][e];
    return experts[e]->step(rows.of(hidden), cache.layer, cache.mask);
  });
}

void TorchStepDecoder::select_rows(std::span<const int32_t> parents) {
  torch::InferenceMode inference;
  const torch::Device device = model_->shared_weight().device();
  const torch::Tensor kept =
      torch::tensor(std::vector<int64_t>(parents.begin(), parents.end()), torch::kInt64).to(device);
  task_ids_ = take_rows(task_ids_, kept);
  if (decoder_weights_.defined()) {
    decoder_weights_ = decoder_weights_.index_select(1, kept);
    plan_ = make_stack_plan(decoder_weights_);
  }
  for (auto& layer : caches_) {
    for (ExpertCache& cache : layer) {
      if (cache.rows.empty()) continue;
      // Where each old row lies in this expert's cache, -1 where it took another expert.
      std::vector<int64_t> place(rows_, -1);
      for (size_t i = 0; i < cache.rows.size(); ++i) place[cache.rows[i]] = static_cast<int64_t>(i);
      std::vector<int64_t> places, rows;
      for (size_t i = 0; i < parents.size(); ++i) {
        if (place.at(parents[i]) < 0) continue;
        places.push_back(place[parents[i]]);
        rows.push_back(static_cast<int64_t>(i));
      }
      const torch::Tensor index = torch::tensor(places, torch::kInt64).to(device);
      cache.rows = std::move(rows);
      cache.mask = take_rows(cache.mask, index);
      for (KeyValue* pair : {&cache.layer.self, &cache.layer.cross}) {
        pair->key = take_rows(pair->key, index);
        pair->value = take_rows(pair->value, index);
      }
    }
  }
  rows_ = static_cast<int64_t>(parents.size());
}

}  // namespace trivium::learning
