#include "core/engine/cpu/cpu_engine.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/engine/cpu/cpu_decoder.h"
#include "core/engine/cpu/pool_rows.h"
#include "core/kernels/layer_norm.h"

namespace trivium {

CpuEngine::CpuEngine(const ModelConfig& config, const EngineOptions& options,
                     const TensorReader& read)
    : options_(options),
      threads_(options.threads),
      weights_(config, options.type, read, &threads_),
      context_{&threads_, &block_kernels(options.instructions)},
      scratch_(options.type, *context_.blocks, options.threads) {}

std::unique_ptr<StepDecoder> CpuEngine::start(const std::vector<std::vector<int32_t>>& sources,
                                              const std::vector<const TaskRoute*>& routes,
                                              int64_t places, int64_t positions) {
  return std::make_unique<CpuDecoder>(*this, engine_sources(sources, routes), places, positions);
}

std::unique_ptr<StepDecoder> CpuEngine::start_empty(const std::vector<const TaskRoute*>& routes,
                                                    int64_t places) {
  return std::make_unique<CpuDecoder>(*this, routes, places);
}

std::vector<std::vector<float>> CpuEngine::mean_states(
    const std::vector<std::vector<int32_t>>& sources, const std::vector<const TaskRoute*>& routes) {
  const int64_t width = config().d_model;
  const std::vector<EngineSource> all = engine_sources(sources, routes);
  std::vector<std::vector<float>> means;
  for (std::span<const EngineSource> rest = all; !rest.empty();) {
    const std::span<const EngineSource> group = rest.first(group_size(rest));
    const float* state = encode(group);
    for (const EngineSource& source : group) {
      std::vector<double> sums(static_cast<size_t>(width), 0.0);
      for (size_t position = 0; position < source.ids.size(); ++position, state += width) {
        for (int64_t i = 0; i < width; ++i) sums[static_cast<size_t>(i)] += state[i];
      }
      std::vector<float>& mean = means.emplace_back();
      for (const double sum : sums) {
        mean.push_back(static_cast<float>(sum / static_cast<double>(source.ids.size())));
      }
    }
    rest = rest.subspan(group.size());
  }
  return means;
}

void CpuEngine::embed(const StackEmbedding& embedding, std::span<const int32_t> ids,
                      std::span<const int32_t> positions, float* hidden) {
  const int64_t width = config().d_model;
  const float scale =
      config().scale_embedding ? std::sqrt(static_cast<float>(config().d_model)) : 1.0f;
  for_rows(context_, static_cast<int64_t>(ids.size()), width, [&](int64_t row) {
    float* place = hidden + row * width;
    const float* position = embedding.positions.data() + positions[row] * width;
    weights_.tokens.get_column(ids[row], place);
    for (int64_t i = 0; i < width; ++i) place[i] = place[i] * scale + position[i];
    layer_norm_row(place, width, embedding.norm.gamma.data(), embedding.norm.beta.data(),
                   static_cast<float>(config().layer_norm_eps), place);
  });
}

const float* CpuEngine::encode(std::span<const EngineSource> sources) {
  std::vector<Segment> segments;
  std::vector<int32_t> ids, positions;
  for (const EngineSource& source : sources) {
    weights_.load(*source.route, options_.expert_threshold);
    const int64_t len = checked_length(source, config());
    segments.push_back(
        {static_cast<int64_t>(ids.size()), len, static_cast<int32_t>(source.route->gates)});
    for (int64_t i = 0; i < len; ++i) {
      ids.push_back(source.ids[i]);
      positions.push_back(static_cast<int32_t>(i));
    }
  }
  rows_.count = static_cast<int64_t>(ids.size());
  rows_.width = config().d_model;
  rows_.hidden.reserve(rows_.count * rows_.width);
  embed(weights_.encoder_embedding, ids, positions, rows_.hidden.data());
  for (size_t layer = 0; layer < weights_.encoder.size(); ++layer) {
    if (weights_.encoder[layer].size() == 1) {
      const LayerPart<EncoderExpert> part = {&weights_.encoder[layer][0], rows_.count};
      encoder_layer({context_, encoder_shape(config()), scratch_}, {&part, 1}, segments,
                    rows_.hidden.data());
    } else {
      encode_pool(layer, sources, segments);
    }
  }
  return rows_.hidden.data();
}

// Each expert takes the rows of all sequences that chose it.
void CpuEngine::encode_pool(size_t layer, std::span<const EngineSource> sources,
                            std::span<const Segment> segments) {
  const auto& experts = weights_.encoder[layer];
  const auto num_experts = static_cast<int64_t>(experts.size());
  std::vector<std::vector<ActiveExpert>> routes;
  for (const EngineSource& source : sources) {
    routes.push_back(weights_.active(*source.route, {false, layer}, options_.expert_threshold));
  }
  std::vector<const std::vector<ActiveExpert>*> of_sources;
  for (const auto& route : routes) of_sources.push_back(&route);
  const ExpertPlan plan = plan_experts(of_sources, num_experts, num_experts);
  const auto pool = plan_pool(plan, experts, [&](int32_t source) {
    return std::pair(segments[source].begin, segments[source].len);
  });
  std::vector<Segment> own;  // in the order of the uses
  for (int32_t use = 0; use < plan.num_uses(); ++use) {
    const Segment& segment = segments[plan.rows[use]];
    own.push_back({pool.uses[use].place, segment.len, segment.gates});
  }
  run_pool(context_, pool, rows_, [&](float* values) {
    encoder_layer({context_, encoder_shape(config()), scratch_}, pool.parts, own, values);
  });
}

}  // namespace trivium
