// A sequence-to-sequence model's weights in the memory of a CUDA device.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/engine_weights.h"
#include "core/kernels/grouped_linear.h"
#include "core/kernels/row_norm.h"
#include "core/kernels/token_dispatch.h"

namespace trivium {

// All experts of a layer, or an ordinary layer as the only one. The cross_ parts: decoder only.
struct CudaLayer {
  int64_t num_experts = 1;  // of whole layers
  cuda::ExpertMatrices qkv, out;
  cuda::NormWeights attention_norm;
  cuda::ExpertMatrices cross_query, cross_key_value, cross_out;
  cuda::NormWeights cross_norm;
  cuda::ExpertMatrices fc1, fc2;  // of every whole layer, or of what token gates choose from
  cuda::TokenGates gates;         // with more than one expert where the layer has such gates
  cuda::NormWeights final_norm;
};

struct CudaEmbedding {
  const float* positions = nullptr;  // [max_position_embeddings, d_model]
  cuda::NormWeights norm;
};

class CudaWeights {
 public:
  // Copies `packed`, which is float32 or bfloat16 and is not needed afterwards.
  CudaWeights(cuda::Stream& stream, const EngineWeights& packed);

  cuda::ExpertMatrices tokens;  // the embedding and the output layer, with the logits' bias
  CudaEmbedding encoder_embedding, decoder_embedding;
  std::vector<CudaLayer> encoder, decoder;

 private:
  std::vector<cuda::DeviceMemory> memory_;
};

}  // namespace trivium
