// The fast inference engine on a CUDA device: the weights, uploaded once, and the encoder. Decoding
// is CudaDecoder's. It needs the CUDA runtime, and LibTorch no more than the CPU's engine does.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda_layers.h"
#include "engine/cuda_weights.h"
#include "engine/engine.h"

namespace trivium {

// The plan of a layer for every position of the sources one after the other; `experts`: what each
// source takes there.
ExpertPlan plan_positions(std::span<const EngineSource> sources,
                          std::span<const std::vector<ActiveExpert>> experts, int64_t num_experts);

class CudaEngine {
 public:
  // Errors as EngineWeights; kUnavailable where there is no such device, or not for this model;
  // kUsage for int8, for which there are no kernels.
  CudaEngine(const ModelConfig& config, const EngineOptions& options, const TensorReader& read);

  const ModelConfig& config() const { return config_; }
  const EngineOptions& options() const { return options_; }
  const CudaWeights& weights() const { return weights_; }
  cuda::Stream& stream() { return stream_; }
  LayerShape decoder_shape() const;
  // As EngineWeights::step_bytes.
  int64_t step_bytes() const { return step_bytes_; }
  std::string device_name() const { return stream_.device_name(); }

  // Queues the encoding of the sources: hidden [sum of lengths, d_model] on the device. Errors as
  // Engine::encode.
  void encode(std::span<const EngineSource> sources, cuda::DeviceMemory& hidden);

  // What both stacks begin with.
  cuda::RowEmbedding embedding(const CudaEmbedding& stack) const;

 private:
  // By way of the CPU's packed weights, which are let go.
  CudaEngine(const EngineWeights& packed, const EngineOptions& options);

  ModelConfig config_;
  EngineOptions options_;
  int64_t step_bytes_;
  cuda::Stream stream_;
  CudaWeights weights_;
  CudaScratch scratch_;
  DeviceArena arena_;
};

}  // namespace trivium
