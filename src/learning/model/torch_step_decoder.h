// The LibTorch model as a StepDecoder: cached decoding where every row follows its own route.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "core/generation/step_decoder.h"
#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

class TorchStepDecoder : public StepDecoder {
 public:
  // source: int64 [batch, src_len]; mask: bool [batch, src_len]; route: inference-time weights (no
  // gradient). The encoder runs here, once.
  TorchStepDecoder(Seq2SeqModel model, const torch::Tensor& source, const torch::Tensor& mask,
                   const RoutingWeights& route);

  int64_t vocab_size() const override { return model_->config().vocab_size; }
  int64_t rows() const override { return rows_; }
  std::span<const float> step(std::span<const int32_t> tokens) override;
  void select_rows(std::span<const int32_t> parents) override;

 private:
  // The cache of one expert of one layer, for the rows that take it.
  struct ExpertCache {
    std::vector<int64_t> rows;  // ascending, on the host
    torch::Tensor mask;         // bool [count, 1, 1, src_len]
    DecoderLayerCache layer;
  };

  torch::Tensor step_pool(size_t layer, const torch::Tensor& hidden);

  Seq2SeqModel model_;
  int64_t rows_;
  int64_t position_ = 0;
  torch::Tensor decoder_weights_;  // [decoder_layers, rows, num_experts]; undefined when dense
  torch::Tensor task_ids_;         // int64 [rows], which token gates read; undefined without any
  StackPlan plan_;
  std::vector<std::vector<ExpertCache>> caches_;  // [layer][expert]
  torch::Tensor logits_;                          // [rows, vocab_size], float32 on the host
};

}  // namespace trivium::learning
