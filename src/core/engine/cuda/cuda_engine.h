// The fast inference engine on a CUDA device: the weights, uploaded once, and the encoder. Decoding
// is CudaDecoder's. It needs the CUDA runtime, and nothing else that the CPU's engine does not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/engine/cuda/cuda_layers.h"
#include "core/engine/cuda/cuda_weights.h"
#include "core/engine/engine.h"
#include "core/engine/source.h"

namespace trivium {

// The plan of a layer for every position of the sources one after the other; `experts`: what each
// source takes there.
ExpertPlan plan_positions(std::span<const EngineSource> sources,
                          std::span<const std::vector<ActiveExpert>> experts, int64_t num_experts);

class CudaEngine : public Engine {
 public:
  // Errors as make_engine: kUnavailable where there is no such device, or not for this model;
  // kUsage for int8, for which there are no kernels.
  CudaEngine(const ModelConfig& config, const EngineOptions& options, const TensorReader& read);

  const ModelConfig& config() const override { return config_; }
  // As EngineWeights::step_bytes.
  int64_t step_bytes() const override { return step_bytes_; }
  std::string device_name() const override { return stream_.device_name(); }
  // The decoder takes in all of its sources at once: `places` does not matter.
  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes, int64_t places,
                                     int64_t positions) override;

  const EngineOptions& options() const { return options_; }
  const CudaWeights& weights() const { return weights_; }
  cuda::Stream& stream() { return stream_; }

  // Queues the encoding of the sources: hidden [sum of lengths, d_model] on the device. Errors as
  // Engine::start.
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
