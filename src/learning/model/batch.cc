#include "learning/model/batch.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium::learning {

SourceBatch collate_sources(const std::vector<std::vector<int32_t>>& sources, int32_t pad_id) {
  size_t longest = 0;
  for (const auto& source : sources) longest = std::max(longest, source.size());
  const auto batch = static_cast<int64_t>(sources.size());
  SourceBatch result;
  result.ids = torch::full({batch, static_cast<int64_t>(longest)}, pad_id, torch::kInt64);
  result.mask = torch::zeros({batch, static_cast<int64_t>(longest)}, torch::kBool);
  for (int64_t b = 0; b < batch; ++b) {
    std::copy(sources[b].begin(), sources[b].end(),
              result.ids.data_ptr<int64_t>() + b * static_cast<int64_t>(longest));
    std::fill_n(result.mask.data_ptr<bool>() + b * static_cast<int64_t>(longest), sources[b].size(),
                true);
  }
  return result;
}

Batch collate(const std::vector<EncodedExample>& examples, int32_t pad_id, int32_t start_id) {
  check(!examples.empty(), "a batch has at least one example");
  std::vector<std::vector<int32_t>> sources, targets, inputs;
  std::vector<int64_t> tasks;
  for (const EncodedExample& example : examples) {
    check(!example.target.empty(), "a target has at least its eos");
    sources.push_back(example.source);
    targets.push_back(example.target);
    std::vector<int32_t> shifted = {start_id};
    shifted.insert(shifted.end(), example.target.begin(), example.target.end() - 1);
    inputs.push_back(std::move(shifted));
    tasks.push_back(example.task);
  }
  Batch batch;
  batch.source = collate_sources(sources, pad_id);
  const SourceBatch labels = collate_sources(targets, pad_id);
  batch.labels = labels.ids;
  batch.label_mask = labels.mask;
  batch.decoder_input = collate_sources(inputs, pad_id).ids;
  batch.task_ids = torch::tensor(tasks, torch::kInt64);
  return batch;
}

Batch Batch::to(torch::Device device) const {
  return {{source.ids.to(device), source.mask.to(device)},
          decoder_input.to(device),
          labels.to(device),
          label_mask.to(device),
          task_ids.to(device)};
}

}  // namespace trivium::learning
