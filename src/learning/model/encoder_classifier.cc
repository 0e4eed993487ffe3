#include "learning/model/encoder_classifier.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"

namespace trivium::learning {

LabelledBatch collate_labelled(const std::vector<LabelledExample>& examples, int32_t pad_id) {
  std::vector<std::vector<int32_t>> sources;
  std::vector<int64_t> tasks, labels;
  std::vector<float> values;
  for (const LabelledExample& example : examples) {
    sources.push_back(example.ids);
    tasks.push_back(example.task);
    labels.push_back(example.label);
    values.push_back(static_cast<float>(example.value));
  }
  LabelledBatch batch;
  batch.source = collate_sources(sources, pad_id);
  batch.task_ids = torch::tensor(tasks, torch::kInt64);
  batch.labels = torch::tensor(labels, torch::kInt64);
  batch.values = torch::tensor(values);
  const int64_t length = batch.source.ids.size(1);
  const auto count = static_cast<int64_t>(examples.size());
  batch.segments = torch::zeros({count, length});
  batch.spans = torch::zeros({count, 2, length});
  auto segment = batch.segments.accessor<float, 2>();
  auto weight = batch.spans.accessor<float, 3>();
  for (int64_t i = 0; i < count; ++i) {
    const LabelledExample& example = examples[static_cast<size_t>(i)];
    const auto size = static_cast<int64_t>(example.ids.size());
    for (int64_t p = example.second; p < size; ++p) segment[i][p] = 1;
    for (int64_t s = 0; s < 2; ++s) {
      const auto [begin, end] = example.spans[static_cast<size_t>(s)];
      check(begin >= 0 && begin <= end && end <= size, "a span lies within its example");
      for (int64_t p = begin; p < end; ++p)
        weight[i][s][p] = 1.0f / static_cast<float>(end - begin);
    }
  }
  return batch;
}

LabelledBatch LabelledBatch::to(torch::Device device) const {
  return {{source.ids.to(device), source.mask.to(device)},
          segments.to(device),
          task_ids.to(device),
          labels.to(device),
          values.to(device),
          spans.to(device)};
}

std::vector<std::pair<int64_t, torch::Tensor>> rows_by_task(const torch::Tensor& task_ids) {
  const torch::Tensor host = task_ids.to(torch::kCPU).contiguous();
  std::map<int64_t, std::vector<int64_t>> rows;
  for (int64_t i = 0; i < host.numel(); ++i) rows[host.data_ptr<int64_t>()[i]].push_back(i);
  std::vector<std::pair<int64_t, torch::Tensor>> result;
  for (const auto& [task, list] : rows) {
    result.emplace_back(task, torch::tensor(list, torch::kInt64).to(task_ids.device()));
  }
  return result;
}

EncoderClassifierImpl::EncoderClassifierImpl(const ModelConfig& config,
                                             const std::vector<HeadShape>& heads)
    : config_(config), heads_(heads) {
  check(config.decoder_layers == 0, "a classifier has no decoder");
  check(config.routing.num_experts == 1, "a classifier has no pools of whole layers");
  shared_weight_ = register_table(*this, "shared", config.vocab_size, config.d_model);
  segment_weight_ = register_table(*this, "second_segment", 1, config.d_model);
  const GateTable gates = register_gates(*this, config, static_cast<int64_t>(heads.size()));
  encoder_ = register_module(
      "encoder", EncoderStack(config, LayerOptions::encoder(config, gates),
                              pool_layers(config.encoder_layers, config, /*is_encoder=*/true)));
  auto list = register_module("heads", std::make_shared<torch::nn::Module>());
  for (const HeadShape& head : heads) {
    head_layers_.push_back(list->register_module(
        head.task, Linear(config.d_model * (head.spans ? 3 : 1), head.outputs)));
  }
}

std::vector<TokenGate> EncoderClassifierImpl::token_gates() {
  std::vector<TokenGate> gates;
  if (!has_token_gates()) return gates;
  for (auto& slot : encoder_->layers()) gates.push_back(slot.experts.at(0)->gate());
  return gates;
}

torch::Tensor EncoderClassifierImpl::encode(const LabelledBatch& batch) {
  const torch::Tensor segments =
      batch.segments.unsqueeze(2).to(segment_weight_.scalar_type()) * segment_weight_;
  const torch::Tensor embedded =
      encoder_->embed(torch::embedding(shared_weight_, batch.source.ids), 0, segments);
  return run_encoder(encoder_, embedded, batch.source.mask, {}, batch.task_ids);
}

torch::Tensor EncoderClassifierImpl::outputs(int64_t task, const torch::Tensor& hidden,
                                             const LabelledBatch& batch,
                                             const torch::Tensor& rows) {
  torch::Tensor features = hidden.select(1, 0).index_select(0, rows);  // [rows, d_model]
  if (heads_.at(static_cast<size_t>(task)).spans) {
    const torch::Tensor means =
        torch::matmul(batch.spans.index_select(0, rows).to(hidden.scalar_type()),
                      hidden.index_select(0, rows));  // [rows, 2, d_model]
    features = torch::cat({features, means.flatten(1)}, 1);
  }
  return head_layers_[static_cast<size_t>(task)](features);
}

torch::Tensor EncoderClassifierImpl::losses(const torch::Tensor& hidden,
                                            const LabelledBatch& batch) {
  std::vector<torch::Tensor> parts, order;
  for (const auto& [task, rows] : rows_by_task(batch.task_ids)) {
    torch::Tensor out = outputs(task, hidden, batch, rows);
    if (out.scalar_type() == torch::kBFloat16) out = out.to(torch::kFloat32);
    if (out.size(1) == 1) {
      const torch::Tensor values = batch.values.index_select(0, rows).to(out.scalar_type());
      parts.push_back((out.squeeze(1) - values).pow(2));
    } else {
      const torch::Tensor likelihood =
          torch::log_softmax(out, 1)
              .gather(1, batch.labels.index_select(0, rows).unsqueeze(1))
              .squeeze(1);
      parts.push_back(-likelihood / std::log(static_cast<double>(out.size(1))));
    }
    order.push_back(rows);
  }
  // Back to the batch's order.
  return torch::cat(parts).index_select(0, torch::cat(order).argsort());
}

}  // namespace trivium::learning
