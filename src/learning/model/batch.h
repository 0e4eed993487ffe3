// Examples as id sequences, and their padded tensors.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace trivium::learning {

// One tokenised example. `source` and `target` have their bos and eos.
struct EncodedExample {
  int64_t task = 0;  // row of the model's task vectors
  std::vector<int32_t> source;
  std::vector<int32_t> target;
};

// Sources padded on the right.
struct SourceBatch {
  torch::Tensor ids;   // int64 [batch, src_len]
  torch::Tensor mask;  // bool [batch, src_len], true at real tokens
};
SourceBatch collate_sources(const std::vector<std::vector<int32_t>>& sources, int32_t pad_id);

// A training batch. Rows may belong to different tasks.
struct Batch {
  SourceBatch source;
  torch::Tensor
      decoder_input;         // int64 [batch, tgt_len]: the target shifted right behind the start id
  torch::Tensor labels;      // int64 [batch, tgt_len]: the target, padded
  torch::Tensor label_mask;  // bool [batch, tgt_len]
  torch::Tensor task_ids;    // int64 [batch]
  int64_t size() const { return task_ids.size(0); }
  Batch to(torch::Device device) const;
};
Batch collate(const std::vector<EncodedExample>& examples, int32_t pad_id, int32_t start_id);

}  // namespace trivium::learning
