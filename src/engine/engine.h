// The fast inference engine: a model's packed weights, the threads that use them, and the encoder.
// Decoding is EngineDecoder's. Without LibTorch, autograd or allocation in its loops.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "engine/engine_weights.h"
#include "engine/expert_plan.h"
#include "engine/layer_steps.h"
#include "engine/task_route.h"
#include "kernels/instruction_set.h"

namespace trivium {

struct EngineOptions {
  ComputeType type = ComputeType::kFloat32;
  int threads = 1;
  InstructionSet instructions = available_instruction_sets().back();
  // Of a soft route, experts with less weight than this are left out and the others' weights scaled
  // to add up to 1; the main expert stays whatever its weight. 0: all experts, exactly.
  float expert_threshold = 0;
  // Number of the CUDA device that computes instead of the CPU (cuda_engine.h), or -1.
  int cuda_device = -1;
};

// A sequence to encode.
struct EngineSource {
  std::span<const int32_t> ids;
  const TaskRoute* route = nullptr;
};

// The number of ids. Error kConfig when there are more than the model's positions; none, or a token
// outside the vocabulary, is a bug.
int64_t checked_length(const EngineSource& source, const ModelConfig& config);

class Engine {
 public:
  // Errors as EngineWeights.
  Engine(const ModelConfig& config, const EngineOptions& options, const TensorReader& read);

  const ModelConfig& config() const { return weights_.config; }
  const EngineWeights& weights() const { return weights_; }
  const EngineOptions& options() const { return options_; }
  const CpuContext& context() const { return context_; }
  LayerShape encoder_shape() const;
  LayerShape decoder_shape() const;
  LayerScratch& scratch() { return scratch_; }

  // The encoder's output of every source, one after the other: [sum of lengths, d_model]. Error
  // kConfig when a source is longer than the model's positions; a token outside the vocabulary or a
  // route of another model is a bug.
  void encode(std::span<const EngineSource> sources, AlignedBuffer<float>& hidden);

  // hidden[row] = norm(scale * embedding of ids[row] + position): both stacks' first step.
  void embed(const StackEmbedding& embedding, std::span<const int32_t> ids,
             std::span<const int32_t> positions, float* hidden);

 private:
  void encode_pool(size_t layer, std::span<const EngineSource> sources,
                   std::span<const Segment> segments, AlignedBuffer<float>& hidden);

  EngineOptions options_;
  EngineWeights weights_;
  ThreadPool threads_;
  CpuContext context_;
  LayerScratch scratch_;
  AlignedBuffer<float> gathered_, pooled_;  // a pool's rows sorted by expert, and its output
};

}  // namespace trivium
