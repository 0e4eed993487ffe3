// The Transformer's layers on the CUDA kernels: what engine/cpu/layer_steps.h computes on the CPU,
// but all experts of a layer at once.
#pragma once

#include <cstdint>

#include "core/config/model_config.h"
#include "core/engine/cuda/cuda_weights.h"
#include "core/engine/cuda/device_arena.h"
#include "core/engine/cuda/expert_tiles.h"
#include "core/engine/expert_plan.h"
#include "core/engine/source.h"
#include "core/kernels/row_attention.h"

namespace trivium {

// An ExpertPlan on the device, and where each use's keys and values are.
struct CudaPlan {
  cuda::ExpertRows uses;                  // tiles of uses; uses.rows of them
  const int32_t* rows = nullptr;          // [uses], as ExpertPlan
  const int32_t* experts = nullptr;       // [uses]
  const float* weights = nullptr;         // [uses]
  const int32_t* uses_of_rows = nullptr;  // [rows, slots]
  int32_t slots = 1;
  int64_t num_rows = 0;
  const int32_t* gates = nullptr;  // [rows]: each row's token gate
  // [uses]: in self-attention the place that positions (encoder) or cells (decoder) count from.
  const int32_t* self_begins = nullptr;
  const int32_t* self_lengths = nullptr;  // [uses], encoder only
  // [uses], decoder only: the source's positions in the layer's memory.
  const int32_t* cross_begins = nullptr;
  const int32_t* cross_lengths = nullptr;
};

// Bytes of an arena that place_plan takes at most; `arrays` of them are the caller's own.
size_t plan_bytes(const ExpertPlan& plan, int arrays);
// Adds a plan to the arena, without what says where keys are.
CudaPlan place_plan(DeviceArena& arena, const ExpertPlan& plan, int64_t num_rows);

// What lies between the kernels of a layer. Nothing in it is kept from one layer to the next.
struct CudaScratch {
  cuda::DeviceMemory projected, mixed, state, inner;
  cuda::DeviceMemory tokens;  // what TokenDispatch writes

  // Room for so many uses of layers of `config`.
  void reserve(int64_t uses, const ModelConfig& config);
};

// What a decoding step attends over. Device memory; cells as DecodingRows'.
struct CudaCache {
  ComputeType type = ComputeType::kFloat32;
  void* self = nullptr;  // the layer's [slots, cells, 2 * d_model]
  const int32_t* cells =
      nullptr;  // [rows, cells_stride]: of each row's positions, the new one last
  int64_t cells_stride = 0;
  const int32_t* lengths = nullptr;  // [rows]: positions with the new one
  void* cross = nullptr;  // the layer's [positions of all sources and slots, 2 * d_model]
};

// Where a stack's layers run, and with what memory.
struct CudaStack {
  cuda::Stream& stream;
  LayerShape shape;
  const CudaScratch& scratch;
};

// Both replace hidden [plan.num_rows, d_model], device memory, by the layer's output. What they
// queue may be recorded.
void cuda_encoder_layer(const CudaStack& stack, const CudaLayer& layer, const CudaPlan& plan,
                        float* hidden);
void cuda_decoder_layer_step(const CudaStack& stack, const CudaLayer& layer, const CudaPlan& plan,
                             const CudaCache& cache, float* hidden);

// Keys and values of the decoder's attention over its sources: out [plan.uses.rows, 2 * d_model] in
// the matrices' type, from memory [plan.num_rows, d_model].
void cuda_cross_memory(cuda::Stream& stream, const CudaLayer& layer, const CudaPlan& plan,
                       const float* memory, void* out);

}  // namespace trivium
