// The Transformer's layers on the CPU kernels: BART's post-LayerNorm layers, biased, exact GELU.
// For inference only; the reference that they are tested against is LibTorch's (learning/model).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/cpu/key_value_cache.h"
#include "core/engine/engine.h"
#include "core/engine/engine_weights.h"
#include "core/engine/source.h"
#include "core/kernels/activations.h"
#include "core/kernels/attention.h"
#include "core/kernels/linear.h"
#include "core/kernels/token_gate.h"

namespace trivium {

// Rows, one after the other, that take one feed-forward network.
struct NetworkPart {
  const FeedForwardWeights::Expert* network = nullptr;
  int64_t rows = 0;
};

// What lies between a layer's products. Grows to the largest batch seen; nothing in it is kept from
// one call to the next.
struct LayerScratch {
  LayerScratch(ComputeType type, const BlockKernels& kernels, int threads)
      : narrow(type, kernels), wide(type, kernels), attention(threads) {}

  Activations narrow, wide;                 // rows of d_model, of d_ffn
  AlignedBuffer<float> projected;           // [rows, 3 * d_model]: queries, keys and values
  AlignedBuffer<float> mixed;               // [rows, d_model]: what attention returns
  AlignedBuffer<float> inner;               // [rows, d_ffn]
  std::vector<LinearPart> parts;            // of a product
  std::vector<NetworkPart> networks;        // of a feed-forward part
  std::vector<const float*> gates;          // [rows]: each one's token gate
  std::vector<GateChoice> choices;          // [rows]
  std::vector<int32_t> by_expert;           // [rows]: their numbers, sorted by expert
  std::vector<PackedKeysValues> self;       // of each sequence of an encoder's batch
  std::vector<AttentionScratch> attention;  // of each thread
  GateLog* gate_log = nullptr;              // Engine::log_gates
};

// The rows of one sequence in an encoder's batch, whose sequences lie one after the other.
struct Segment {
  int64_t begin = 0, len = 0;
  int32_t gates = 0;  // the row of its token gates
};

// Rows of a batch, one after the other, that take one expert of a layer. Every product of a layer
// is one pass over the parts, so that mixed routes cost no more waiting of threads than a dense
// layer does.
template <typename Expert>
struct LayerPart {
  const Expert* expert = nullptr;
  int64_t rows = 0;
};

// Where a stack's layers run, and with what memory.
struct CpuStack {
  const CpuContext& context;
  LayerShape shape;
  LayerScratch& scratch;
};

// hidden: [rows, d_model], replaced by the layer's output. No row is padding. The parts' rows are
// those of the segments; a segment is of one part.
void encoder_layer(const CpuStack& stack, std::span<const LayerPart<EncoderExpert>> parts,
                   std::span<const Segment> segments, float* hidden);

// Keys and values of the decoder's attention over one source: memory [len, d_model].
void pack_cross_memory(const CpuStack& stack, const DecoderExpert& expert, const float* memory,
                       int64_t len, PackedKeysValues& packed);

// A row that takes a decoding step: where the layer keeps its keys and values, its positions (the
// new one last), and its source.
struct DecoderRow {
  void* cache = nullptr;  // KeyValueCache::keys of the layer's plane
  std::span<const int32_t> cells;
  const PackedKeysValues* source = nullptr;  // rows of one source stand side by side
  int32_t gates = 0;                         // the row of its token gates
};

// One step of a layer: hidden [rows.size(), d_model], replaced by the layer's output. The parts'
// rows are `rows`.
void decoder_layer_step(const CpuStack& stack, std::span<const LayerPart<DecoderExpert>> parts,
                        const KeyValueCache& cache, std::span<const DecoderRow> rows,
                        float* hidden);

// work(row) for every row of `width` values, by several threads where there is enough to do.
template <typename Work>
void for_rows(const CpuContext& context, int64_t rows, int64_t width, Work&& work) {
  context.threads->for_ranges(rows, 4 * rows * width, [&](int, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) work(row);
  });
}

}  // namespace trivium
