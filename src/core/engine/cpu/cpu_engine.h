// The engine on the CPU: a model's packed weights, the threads that use them, and the encoder.
// Decoding is CpuDecoder's. Without LibTorch, autograd or allocation in its loops.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/thread_pool.h"
#include "core/engine/cpu/layer_steps.h"
#include "core/engine/cpu/pool_rows.h"
#include "core/engine/engine.h"
#include "core/engine/engine_weights.h"
#include "core/engine/expert_plan.h"
#include "core/engine/source.h"

namespace trivium {

class CpuEngine : public Engine {
 public:
  // Errors as make_engine.
  CpuEngine(const ModelConfig& config, const EngineOptions& options, const TensorReader& read);

  const ModelConfig& config() const override { return weights_.config; }
  int64_t step_bytes() const override { return weights_.step_bytes(); }
  bool batches_continuously() const override { return true; }
  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes, int64_t places,
                                     int64_t positions) override;
  std::unique_ptr<StepDecoder> start_empty(const std::vector<const TaskRoute*>& routes,
                                           int64_t places) override;
  std::vector<std::vector<float>> mean_states(const std::vector<std::vector<int32_t>>& sources,
                                              const std::vector<const TaskRoute*>& routes) override;
  void log_gates(GateLog* log) override { scratch_.gate_log = log; }

  const EngineWeights& weights() const { return weights_; }
  const EngineOptions& options() const { return options_; }
  const CpuContext& context() const { return context_; }
  LayerScratch& scratch() { return scratch_; }

  // The encoder's output of every source, one after the other: [sum of lengths, d_model], there
  // until the next call. Errors as Engine::start.
  const float* encode(std::span<const EngineSource> sources);

  // hidden[row] = norm(scale * embedding of ids[row] + position): both stacks' first step.
  void embed(const StackEmbedding& embedding, std::span<const int32_t> ids,
             std::span<const int32_t> positions, float* hidden);

 private:
  void encode_pool(size_t layer, std::span<const EngineSource> sources,
                   std::span<const Segment> segments);

  EngineOptions options_;
  ThreadPool threads_;
  EngineWeights weights_;
  CpuContext context_;
  LayerScratch scratch_;
  BatchRows rows_;  // of the encoder
};

}  // namespace trivium
