// A sequence-to-sequence model's weights, packed once for the CPU's kernels; the CUDA engine
// uploads them from here.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/base/thread_pool.h"
#include "core/config/model_config.h"
#include "core/engine/expert_plan.h"
#include "core/kernels/packed_matrix.h"
#include "core/routes/layer_place.h"
#include "core/routes/task_route.h"

namespace trivium {

struct PackedLinear {
  PackedMatrix weights;
  AlignedBuffer<float> bias;  // padded to 32
};

struct LayerNormWeights {
  std::vector<float> gamma, beta;
};

// One feed-forward network, or as many as token gates choose from, and the gates.
struct FeedForwardWeights {
  struct Expert {
    PackedLinear fc1, fc2;
  };
  std::vector<Expert> experts;
  std::vector<float> gates;  // [tasks or 1, experts, d_model]; empty for one network
  GateScale scale = GateScale::kNone;

  // The gate of a task's row, [experts, d_model]. A row beyond the gates is a bug.
  const float* gate(int64_t row, int64_t d_model) const;
  // Whether outputs are multiplied by something with the gate's probability in it.
  bool scaled() const;
  // What the output of a network that its gate gave `probability` is multiplied by.
  float factor(float probability) const;
};

// An expert of the encoder, or an ordinary layer.
struct EncoderExpert {
  PackedLinear qkv;  // the query's, key's and value's projections as one: [3 * d_model, d_model]
  PackedLinear out;
  LayerNormWeights attention_norm;
  FeedForwardWeights feed_forward;
  LayerNormWeights final_norm;
};

struct DecoderExpert {
  PackedLinear qkv, out;
  LayerNormWeights attention_norm;
  PackedLinear cross_query;
  PackedLinear cross_key_value;  // both as one: [2 * d_model, d_model]
  PackedLinear cross_out;
  LayerNormWeights cross_norm;
  FeedForwardWeights feed_forward;
  LayerNormWeights final_norm;
};

struct StackEmbedding {
  std::vector<float> positions;  // [max_position_embeddings, d_model], without BART's offset
  LayerNormWeights norm;
};

// What every route needs is read at once; an expert of a pool when the first route uses it, so that
// a program that answers for a few tasks holds, and waits for, their experts only.
class EngineWeights {
 public:
  // `read` is kept for the experts, and so is `threads`, which outlives this: its threads read and
  // pack layers side by side, and call `read` at the same time; without it the caller alone does.
  // Error kBadModel when a tensor has another shape than `config` asks for; what `read` throws.
  EngineWeights(const ModelConfig& config, ComputeType type, TensorReader read,
                ThreadPool* threads = nullptr);

  // Reads the experts that a route runs, where they are not there yet, and lets go of those that
  // only routes nobody holds any longer had for themselves. A route of another model is a bug;
  // errors as above.
  void load(const TaskRoute& route, float expert_threshold);
  void load_all();

  // The experts of a layer that a route runs, by their places in `encoder` and `decoder`. An expert
  // of the task's own has been loaded.
  std::vector<ActiveExpert> active(const TaskRoute& route, const LayerPlace& place,
                                   float expert_threshold) const;

  ModelConfig config;
  ComputeType type;
  // The token embedding, which is the output layer too: the input's rows are read out of it.
  PackedMatrix tokens;  // [vocab_size, d_model]
  AlignedBuffer<float> logits_bias;
  StackEmbedding encoder_embedding, decoder_embedding;
  // [encoder_layers][num_experts or 1]; an expert that was not read yet is empty. Behind them each
  // layer has places for the experts that single tasks have for themselves (TaskRoute::own): a
  // task's are at the same place in all layers. An expert stays where it is in memory.
  std::vector<std::deque<EncoderExpert>> encoder;
  std::vector<std::deque<DecoderExpert>> decoder;

  // Bytes of weights that one decoding step of a row along a one-hot route reads: the physical
  // limit of decoding one row at a time is the memory's bandwidth over this.
  int64_t step_bytes() const;

 private:
  // An ordinary layer has one expert, 0.
  struct Place {
    LayerPlace layer;
    size_t expert = 0;
  };
  // Experts of a layer that all tasks may take.
  size_t shared_experts(const LayerPlace& place) const;
  // The number of a task among those with experts of their own; -1 where it was not loaded.
  int64_t number_of(const OwnExperts* own) const;
  void make_room_for(const std::shared_ptr<const OwnExperts>& own);
  void forget_unused();
  // Those of `places` that are not there yet; `own` are the experts of the task that asks.
  void load(const std::vector<Place>& places, const OwnExperts* own);
  void load(const Place& place, const OwnExperts* own);

  TensorReader read_;
  ThreadPool* threads_;
  // By the number of a task with experts of its own: whose the places are. What has expired, or is
  // null, is free.
  struct Owner {
    const OwnExperts* experts = nullptr;
    std::weak_ptr<const OwnExperts> held;
  };
  std::vector<Owner> owners_;
  HostTensor gate_embeddings_;  // of gates made from embeddings
};

}  // namespace trivium
