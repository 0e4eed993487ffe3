#include "core/engine/cuda/cuda_layers.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium {
namespace {

// One layer's way through its uses.
class CudaLayerRun {
 public:
  CudaLayerRun(const CudaStack& stack, const CudaPlan& plan)
      : stream_(stack.stream),
        shape_(stack.shape),
        plan_(plan),
        projected_(stack.scratch.projected.as<float>()),
        mixed_(stack.scratch.mixed.as<float>()),
        state_(stack.scratch.state.as<float>()),
        inner_(stack.scratch.inner.as<float>()),
        tokens_(stack.scratch.tokens.as<int32_t>()) {}

  // projected = input W^T + bias; `rows` as GroupedLinear::input_rows.
  void project(const cuda::ExpertMatrices& matrices, const float* input, const int32_t* rows) {
    cuda::GroupedLinear linear = linear_of(matrices, input, projected_);
    linear.input_rows = rows;
    cuda::grouped_linear(stream_, linear);
  }
  void project_state(const cuda::ExpertMatrices& matrices) { project(matrices, state_, nullptr); }

  // Queries from projected rows of `query_width`; the caller says where keys and values are.
  cuda::RowAttention attention(int64_t query_width) const {
    cuda::RowAttention attention;
    attention.queries = projected_;
    attention.query_stride = query_width;
    attention.value_offset = shape_.d_model;
    attention.place_stride = 2 * shape_.d_model;
    attention.out = mixed_;
    attention.num_queries = plan_.uses.rows;
    attention.num_heads = shape_.num_heads;
    attention.head_dim = shape_.head_dim();
    return attention;
  }

  // state = norm(residual + mixed W^T + bias): the end of an attention.
  void add_attention(const cuda::ExpertMatrices& matrices, const cuda::NormWeights& norm,
                     const float* residual, const int32_t* rows) {
    cuda::GroupedLinear linear = linear_of(matrices, mixed_, state_);
    linear.residual = residual;
    linear.residual_rows = rows;
    cuda::grouped_linear(stream_, linear);
    cuda::RowNorm use_norm = norm_of(norm);
    use_norm.out = state_;
    use_norm.rows = plan_.uses.rows;
    cuda::norm_rows(stream_, use_norm);
  }
  void add_attention_to_state(const cuda::ExpertMatrices& matrices, const cuda::NormWeights& norm) {
    add_attention(matrices, norm, state_, nullptr);
  }

  // hidden = the mixture of norm(state + W2 gelu(W1 state + b1) + b2) over a row's uses.
  void finish(const CudaLayer& layer, float* hidden) {
    cuda::GroupedLinear first = linear_of(layer.fc1, state_, inner_);
    first.gelu = true;
    cuda::GroupedLinear second = linear_of(layer.fc2, inner_, state_);
    second.residual = state_;
    if (layer.gates.num_experts > 1) take_token_experts(layer, first, second);
    cuda::grouped_linear(stream_, first);
    cuda::grouped_linear(stream_, second);
    cuda::RowNorm norm = norm_of(layer.final_norm);
    norm.out = hidden;
    norm.uses = plan_.uses_of_rows;
    norm.weights = plan_.weights;
    norm.slots = plan_.slots;
    norm.rows = plan_.num_rows;
    cuda::norm_rows(stream_, norm);
  }

  float* projected() const { return projected_; }

 private:
  cuda::GroupedLinear linear_of(const cuda::ExpertMatrices& matrices, const float* input,
                                float* out) const {
    cuda::GroupedLinear linear;
    linear.matrices = matrices;
    linear.rows = plan_.uses;
    linear.input = input;
    linear.out = out;
    return linear;
  }
  // Sends each row through the network that its gate chooses: the rows between the two products lie
  // in the order of their experts.
  void take_token_experts(const CudaLayer& layer, cuda::GroupedLinear& first,
                          cuda::GroupedLinear& second) {
    check(layer.num_experts == 1, "a layer is a pool, or its feed-forward part is one");
    cuda::TokenDispatch dispatch;
    dispatch.gates = layer.gates;
    dispatch.input = state_;
    dispatch.gate_of_rows = plan_.gates;
    dispatch.rows = plan_.uses.rows;
    const int32_t share = dispatch.rows / layer.gates.num_experts + 1;
    dispatch.tile_rows = cuda::tile_rows_for(share);
    dispatch.experts = tokens_;
    dispatch.order = dispatch.experts + dispatch.rows;
    dispatch.factors = reinterpret_cast<float*>(dispatch.order + dispatch.rows);
    dispatch.tiles = reinterpret_cast<cuda::ExpertTile*>(dispatch.factors + dispatch.rows);
    cuda::dispatch_tokens(stream_, dispatch);
    first.rows =
        second.rows = {dispatch.tiles, dispatch.num_tiles(), dispatch.tile_rows, dispatch.rows};
    first.input_rows = dispatch.order;
    second.out_rows = second.residual_rows = dispatch.order;
    second.factors = dispatch.factors;
  }
  cuda::RowNorm norm_of(const cuda::NormWeights& weights) const {
    cuda::RowNorm norm;
    norm.in = state_;
    norm.norm = weights;
    norm.experts = plan_.experts;
    norm.width = shape_.d_model;
    return norm;
  }

  cuda::Stream& stream_;
  const LayerShape& shape_;
  const CudaPlan& plan_;
  float *projected_, *mixed_, *state_, *inner_;
  int32_t* tokens_;
};

}  // namespace

size_t plan_bytes(const ExpertPlan& plan, int arrays) {
  const size_t uses = plan.rows.size();
  return (3 + static_cast<size_t>(arrays)) * (uses * sizeof(int32_t) + 16) +
         plan.uses.size() * sizeof(int32_t) + 16 +
         cut_into_tiles(plan).tiles.size() * sizeof(cuda::ExpertTile) + 16;
}

CudaPlan place_plan(DeviceArena& arena, const ExpertPlan& plan, int64_t num_rows) {
  CudaPlan placed;
  const ExpertTiles cut = cut_into_tiles(plan);
  placed.uses = {arena.add(cut.tiles), static_cast<int32_t>(cut.tiles.size()), cut.tile_rows,
                 plan.num_uses()};
  placed.rows = arena.add(plan.rows);
  placed.experts = arena.add(plan.experts);
  placed.weights = arena.add(plan.weights);
  placed.uses_of_rows = arena.add(plan.uses);
  placed.slots = static_cast<int32_t>(static_cast<int64_t>(plan.uses.size()) / num_rows);
  placed.num_rows = num_rows;
  return placed;
}

void CudaScratch::reserve(int64_t uses, const ModelConfig& config) {
  const auto room = [&](cuda::DeviceMemory& memory, int64_t width) {
    memory.reserve(static_cast<size_t>(uses * width) * sizeof(float));
  };
  room(projected, 3 * config.d_model);
  room(mixed, config.d_model);
  room(state, config.d_model);
  room(inner, std::max(config.encoder_ffn_dim, config.decoder_ffn_dim));
  if (config.token_experts.num_experts == 1) return;
  // Three numbers a row, and no more tiles than rows.
  tokens.reserve(static_cast<size_t>(uses) * (3 * sizeof(int32_t) + sizeof(cuda::ExpertTile)));
}

void cuda_encoder_layer(const CudaStack& stack, const CudaLayer& layer, const CudaPlan& plan,
                        float* hidden) {
  const int64_t d_model = stack.shape.d_model;
  CudaLayerRun run(stack, plan);
  run.project(layer.qkv, hidden, plan.rows);
  cuda::RowAttention attention = run.attention(3 * d_model);
  attention.places = run.projected() + d_model;
  attention.place_stride = 3 * d_model;
  attention.begins = plan.self_begins;
  attention.lengths = plan.self_lengths;
  cuda::attend_rows(stack.stream, attention);
  run.add_attention(layer.out, layer.attention_norm, hidden, plan.rows);
  run.finish(layer, hidden);
}

void cuda_decoder_layer_step(const CudaStack& stack, const CudaLayer& layer, const CudaPlan& plan,
                             const CudaCache& cache, float* hidden) {
  const int64_t d_model = stack.shape.d_model;
  CudaLayerRun run(stack, plan);
  run.project(layer.qkv, hidden, plan.rows);
  cuda::RowAttention self = run.attention(3 * d_model);
  self.store_own = true;
  self.type = cache.type;
  self.places = cache.self;
  self.begins = plan.self_begins;
  self.sequences = plan.rows;
  self.lengths = cache.lengths;
  self.cells = cache.cells;
  self.cells_stride = cache.cells_stride;
  cuda::attend_rows(stack.stream, self);
  run.add_attention(layer.out, layer.attention_norm, hidden, plan.rows);

  run.project_state(layer.cross_query);
  cuda::RowAttention cross = run.attention(d_model);
  cross.type = cache.type;
  cross.places = cache.cross;
  cross.begins = plan.cross_begins;
  cross.lengths = plan.cross_lengths;
  cuda::attend_rows(stack.stream, cross);
  run.add_attention_to_state(layer.cross_out, layer.cross_norm);
  run.finish(layer, hidden);
}

void cuda_cross_memory(cuda::Stream& stream, const CudaLayer& layer, const CudaPlan& plan,
                       const float* memory, void* out) {
  cuda::GroupedLinear linear;
  linear.matrices = layer.cross_key_value;
  linear.rows = plan.uses;
  linear.input = memory;
  linear.input_rows = plan.rows;
  linear.out = out;
  linear.narrow_out = true;
  cuda::grouped_linear(stream, linear);
}

}  // namespace trivium
