#include "core/engine/cuda/cuda_engine.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/engine/cuda/cuda_decoder.h"

namespace trivium {
namespace {

// Refuses what the kernels do not compute before any weight is read.
const ModelConfig& supported(const ModelConfig& config, ComputeType type) {
  if (type == ComputeType::kInt8) {
    throw Error(ExitCode::kUsage,
                "on a GPU --compute is float32 or bfloat16; int8 is for --device cpu");
  }
  const auto fits = [&](int64_t heads) {
    const int64_t head_dim = config.d_model / heads;
    return head_dim % 2 == 0 && head_dim <= cuda::kMaxHeadDim;
  };
  const bool fit = config.d_model % 4 == 0 && config.encoder_ffn_dim % 4 == 0 &&
                   config.decoder_ffn_dim % 4 == 0 && fits(config.encoder_attention_heads) &&
                   fits(config.decoder_attention_heads);
  if (!fit) {
    throw Error(ExitCode::kUnavailable,
                "the CUDA kernels take widths that are multiples of 4, and heads of an even width "
                "up to " +
                    std::to_string(cuda::kMaxHeadDim) + "; use --device cpu");
  }
  if (config.token_experts.num_experts > cuda::kMaxTokenExperts) {
    throw Error(ExitCode::kUnavailable, "the CUDA kernels choose among at most " +
                                            std::to_string(cuda::kMaxTokenExperts) +
                                            " experts of a token; use --device cpu");
  }
  return config;
}

EngineWeights whole_weights(const ModelConfig& config, ComputeType type, const TensorReader& read) {
  EngineWeights weights(config, type, read);
  weights.load_all();
  return weights;
}

// A use attends over its source's uses of the same expert, which lie side by side.
CudaPlan place_encoder_plan(DeviceArena& arena, const ExpertPlan& plan,
                            const std::vector<int32_t>& positions) {
  std::vector<int32_t> begins, lengths(plan.rows.size());
  for (int32_t use = 0; use < plan.num_uses(); ++use) {
    begins.push_back(use - positions[plan.rows[use]]);
  }
  // From the back: the first use that is seen of a sequence is its last position.
  for (int32_t use = plan.num_uses() - 1; use >= 0; --use) {
    const bool is_last = use + 1 == plan.num_uses() || begins[use + 1] != begins[use];
    lengths[use] = is_last ? use - begins[use] + 1 : lengths[use + 1];
  }
  CudaPlan placed = place_plan(arena, plan, static_cast<int64_t>(positions.size()));
  placed.self_begins = arena.add(begins);
  placed.self_lengths = arena.add(lengths);
  return placed;
}

}  // namespace

ExpertPlan plan_positions(std::span<const EngineSource> sources,
                          std::span<const std::vector<ActiveExpert>> experts, int64_t num_experts) {
  std::vector<const std::vector<ActiveExpert>*> routes;
  size_t slots = 1;
  for (size_t i = 0; i < sources.size(); ++i) {
    routes.insert(routes.end(), sources[i].ids.size(), &experts[i]);
    slots = std::max(slots, experts[i].size());
  }
  return plan_experts(routes, num_experts, static_cast<int64_t>(slots));
}

CudaEngine::CudaEngine(const ModelConfig& config, const EngineOptions& options,
                       const TensorReader& read)
    : CudaEngine(whole_weights(supported(config, options.type), options.type, read), options) {}

CudaEngine::CudaEngine(const EngineWeights& packed, const EngineOptions& options)
    : config_(packed.config),
      options_(options),
      step_bytes_(packed.step_bytes()),
      stream_(options.device.number),
      weights_(stream_, packed) {}

std::unique_ptr<StepDecoder> CudaEngine::start(const std::vector<std::vector<int32_t>>& sources,
                                               const std::vector<const TaskRoute*>& routes,
                                               int64_t /*places*/, int64_t positions) {
  for (const TaskRoute* route : routes) {
    if (!route->own) continue;
    throw Error(ExitCode::kUnavailable,
                "a task that was added has experts of its own, which are not on the CUDA device; "
                "use --device cpu");
  }
  return std::make_unique<CudaDecoder>(*this, engine_sources(sources, routes), positions);
}

cuda::RowEmbedding CudaEngine::embedding(const CudaEmbedding& stack) const {
  cuda::RowEmbedding embedding;
  embedding.type = weights_.tokens.type;
  embedding.table = weights_.tokens.weights;
  embedding.table_stride = weights_.tokens.padded_depth();
  embedding.position_table = stack.positions;
  embedding.scale = config_.scale_embedding ? std::sqrt(static_cast<float>(config_.d_model)) : 1.0f;
  embedding.norm = stack.norm;
  embedding.width = config_.d_model;
  return embedding;
}

void CudaEngine::encode(std::span<const EngineSource> sources, cuda::DeviceMemory& hidden) {
  stream_.make_current();
  stream_.synchronize();  // what the last call queued may still read the arena
  std::vector<int32_t> ids, positions, gates;
  for (const EngineSource& source : sources) {
    const int64_t len = checked_length(source, config_);
    check(source.route->encoder.size() == weights_.encoder.size(), "the route is of another model");
    for (const CudaLayer& layer : weights_.encoder) {
      check(layer.gates.num_experts == 1 || source.route->gates < layer.gates.count,
            "the route's gates are of another model");
    }
    ids.insert(ids.end(), source.ids.begin(), source.ids.end());
    for (int64_t i = 0; i < len; ++i) positions.push_back(static_cast<int32_t>(i));
    gates.insert(gates.end(), source.ids.size(), static_cast<int32_t>(source.route->gates));
  }
  const auto rows = static_cast<int64_t>(ids.size());
  // All layers' plans go to the device before any work that reads them.
  std::vector<ExpertPlan> plans;
  size_t bytes = 3 * (ids.size() * sizeof(int32_t) + 16);
  int64_t most_uses = 0;
  for (size_t layer = 0; layer < weights_.encoder.size(); ++layer) {
    std::vector<std::vector<ActiveExpert>> experts;  // of each source
    for (const EngineSource& source : sources) {
      experts.push_back(active_experts(source.route->encoder[layer], options_.expert_threshold));
    }
    plans.push_back(plan_positions(sources, experts, weights_.encoder[layer].num_experts));
    bytes += plan_bytes(plans.back(), 2);
    most_uses = std::max<int64_t>(most_uses, plans.back().num_uses());
  }
  arena_.begin(bytes);
  cuda::RowEmbedding embed = embedding(weights_.encoder_embedding);
  embed.ids = arena_.add(ids);
  embed.positions = arena_.add(positions);
  const int32_t* placed_gates = arena_.add(gates);
  std::vector<CudaPlan> placed;
  for (const ExpertPlan& plan : plans) {
    placed.push_back(place_encoder_plan(arena_, plan, positions));
    placed.back().gates = placed_gates;
  }
  arena_.upload(stream_);
  scratch_.reserve(most_uses, config_);
  hidden.reserve(static_cast<size_t>(rows * config_.d_model) * sizeof(float));
  embed.out = hidden.as<float>();
  embed.rows = rows;
  cuda::embed_rows(stream_, embed);
  const CudaStack stack = {stream_, encoder_shape(config_), scratch_};
  for (size_t layer = 0; layer < placed.size(); ++layer) {
    cuda_encoder_layer(stack, weights_.encoder[layer], placed[layer], hidden.as<float>());
  }
}

}  // namespace trivium
