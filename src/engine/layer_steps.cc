#include "engine/layer_steps.h"

#include <algorithm>

#include "kernels/layer_norm.h"

namespace trivium {
namespace {

// Rows whose feed-forward's inner values are held at a time: they stay in the caches.
constexpr int64_t kFeedForwardRows = 512;

void round_rows(const CpuContext& context, const float* values, int64_t stride, int64_t rows,
                int64_t depth, Activations& rounded) {
  rounded.resize(rows, depth);
  for_rows(context, rows, depth, [&](int64_t row) { rounded.set_row(row, values + row * stride); });
}

void norm_rows(const CpuContext& context, const LayerShape& shape, const LayerNormWeights& norm,
               int64_t rows, float* hidden) {
  for_rows(context, rows, shape.d_model, [&](int64_t row) {
    float* place = hidden + row * shape.d_model;
    layer_norm_row(place, shape.d_model, norm.gamma.data(), norm.beta.data(), shape.layer_norm_eps,
                   place);
  });
}

// out = input W^T + bias, [rows, columns of `linear`].
const float* project(const CpuContext& context, const PackedLinear& layer, const float* input,
                     int64_t rows, LayerScratch& scratch) {
  const int64_t columns = layer.weights.columns();
  round_rows(context, input, layer.weights.depth(), rows, layer.weights.depth(), scratch.narrow);
  float* out = scratch.projected.reserve(rows * columns);
  linear(context, scratch.narrow, layer.weights, {out, columns, layer.bias.data(), false, nullptr});
  return out;
}

// hidden = norm(hidden + mixed W^T + bias): the end of an attention.
void add_attention(const CpuContext& context, const LayerShape& shape, const PackedLinear& out,
                   const LayerNormWeights& norm, int64_t rows, float* hidden,
                   LayerScratch& scratch) {
  const int64_t width = shape.d_model;
  round_rows(context, scratch.mixed.data(), width, rows, width, scratch.narrow);
  linear(context, scratch.narrow, out.weights, {hidden, width, out.bias.data(), false, hidden});
  norm_rows(context, shape, norm, rows, hidden);
}

// out[i] = W2 gelu(W1 row(i) + b1) + b2 + residual[i] for i in [0, rows), where `row` gives the
// places of the inputs [d_model]. out, residual (or null): [rows, d_model].
template <typename Row>
void run_network(const CpuContext& context, const FeedForwardWeights::Expert& network, int64_t rows,
                 const Row& row, float* out, const float* residual, LayerScratch& scratch) {
  // A line more than d_ffn, so that rows do not all fall on one set of the cache.
  const int64_t width = network.fc1.weights.depth(), d_ffn = network.fc1.weights.columns();
  const int64_t stride = d_ffn + 16;
  float* inner = scratch.inner.reserve(std::min(rows, kFeedForwardRows) * stride);
  for (int64_t first = 0; first < rows; first += kFeedForwardRows) {
    const int64_t count = std::min(kFeedForwardRows, rows - first), place = first * width;
    scratch.narrow.resize(count, width);
    for_rows(context, count, width, [&](int64_t i) { scratch.narrow.set_row(i, row(first + i)); });
    linear(context, scratch.narrow, network.fc1.weights,
           {inner, stride, network.fc1.bias.data(), true, nullptr});
    round_rows(context, inner, stride, count, d_ffn, scratch.wide);
    linear(context, scratch.wide, network.fc2.weights,
           {out + place, width, network.fc2.bias.data(), false,
            residual == nullptr ? nullptr : residual + place});
  }
}

float gate_factor(GateScale scale, float probability, size_t num_experts) {
  if (scale == GateScale::kNone) return 1;
  return scale == GateScale::kProbability ? probability
                                          : probability * static_cast<float>(num_experts);
}

// hidden = norm(hidden + each token's expert of it), the expert chosen by the token's gate
// (mt_tag.md, section 1), which scratch.gates has.
void feed_forward_pool(const CpuContext& context, const LayerShape& shape,
                       const FeedForwardWeights& pool, const LayerNormWeights& norm, int64_t rows,
                       float* hidden, LayerScratch& scratch) {
  const int64_t width = shape.d_model;
  const size_t num_experts = pool.experts.size();
  scratch.choices.resize(rows);
  for_rows(context, rows, width * static_cast<int64_t>(num_experts), [&](int64_t row) {
    scratch.choices[row] = choose_expert(hidden + row * width, width, scratch.gates[row],
                                         static_cast<int64_t>(num_experts));
  });
  scratch.by_expert.clear();
  float* outputs = scratch.mixed.reserve(rows * width);  // in the order of by_expert
  for (size_t e = 0; e < num_experts; ++e) {
    const size_t begin = scratch.by_expert.size();
    for (int32_t row = 0; row < static_cast<int32_t>(rows); ++row) {
      if (scratch.choices[row].expert == static_cast<int32_t>(e)) scratch.by_expert.push_back(row);
    }
    const int32_t* own = scratch.by_expert.data() + begin;
    run_network(
        context, pool.experts[e], static_cast<int64_t>(scratch.by_expert.size() - begin),
        [&](int64_t i) { return hidden + own[i] * width; },
        outputs + static_cast<int64_t>(begin) * width, nullptr, scratch);
  }
  for_rows(context, rows, width, [&](int64_t i) {
    const int32_t row = scratch.by_expert[i];
    const float factor = gate_factor(pool.scale, scratch.choices[row].probability, num_experts);
    const float* output = outputs + i * width;
    float* place = hidden + row * width;
    for (int64_t k = 0; k < width; ++k) place[k] += factor * output[k];
  });
  norm_rows(context, shape, norm, rows, hidden);
}

// hidden = norm(hidden + W2 gelu(W1 hidden + b1) + b2), or the pool's. gates(add) calls
// add(gate, count) for rows one after the other: so many take the gates of that row.
template <typename Gates>
void feed_forward(const CpuContext& context, const LayerShape& shape,
                  const FeedForwardWeights& part, const LayerNormWeights& norm, int64_t rows,
                  const Gates& gates, float* hidden, LayerScratch& scratch) {
  if (part.experts.size() == 1) {
    run_network(
        context, part.experts[0], rows, [&](int64_t row) { return hidden + row * shape.d_model; },
        hidden, hidden, scratch);
    norm_rows(context, shape, norm, rows, hidden);
    return;
  }
  scratch.gates.clear();
  gates([&](int32_t gate, int64_t count) {
    scratch.gates.insert(scratch.gates.end(), static_cast<size_t>(count),
                         part.gate(gate, shape.d_model));
  });
  feed_forward_pool(context, shape, part, norm, rows, hidden, scratch);
}

// Rows [first, first + count) of a step, all of one source.
struct SourceRows {
  int64_t first = 0, count = 0;
};

std::vector<SourceRows> rows_by_source(std::span<const DecoderRow> rows) {
  std::vector<SourceRows> groups;
  for (int64_t row = 0; row < static_cast<int64_t>(rows.size()); ++row) {
    if (groups.empty() || rows[row].source != rows[groups.back().first].source) {
      groups.push_back({row, 0});
    }
    ++groups.back().count;
  }
  return groups;
}

}  // namespace

void encoder_layer(const CpuContext& context, const LayerShape& shape, const EncoderExpert& expert,
                   std::span<const Segment> segments, float* hidden, LayerScratch& scratch) {
  const int64_t width = shape.d_model, head_dim = shape.head_dim();
  const int64_t rows = segments.back().begin + segments.back().len;
  const float* projected = project(context, expert.qkv, hidden, rows, scratch);
  float* mixed = scratch.mixed.reserve(rows * width);
  const ComputeType type = attention_type(expert.qkv.weights.type());
  const auto count = static_cast<int64_t>(segments.size());
  while (static_cast<int64_t>(scratch.self.size()) < count) scratch.self.emplace_back(type);
  for (int64_t i = 0; i < count; ++i) {
    scratch.self[i].resize(segments[i].len, shape.num_heads, head_dim);
  }
  int64_t operations = 0;
  for (const Segment& segment : segments) operations += 2 * segment.len * segment.len * width;
  context.threads->for_ranges(
      count * shape.num_heads, operations, [&](int thread, int64_t begin, int64_t end) {
        context.blocks->begin();
        for (int64_t item = begin; item < end; ++item) {
          const Segment& segment = segments[item / shape.num_heads];
          PackedKeysValues& self = scratch.self[item / shape.num_heads];
          const int64_t head = item % shape.num_heads;
          const float* queries = projected + segment.begin * 3 * width + head * head_dim;
          self.pack_head(head, queries + width, queries + 2 * width, 3 * width);
          attend_packed(*context.blocks, self, head, head_dim, queries, 3 * width, segment.len,
                        mixed + segment.begin * width + head * head_dim, width,
                        scratch.attention[thread]);
        }
        context.blocks->end();
      });
  add_attention(context, shape, expert.out, expert.attention_norm, rows, hidden, scratch);
  const auto gates = [&](const auto& add) {
    for (const Segment& segment : segments) add(segment.gates, segment.len);
  };
  feed_forward(context, shape, expert.feed_forward, expert.final_norm, rows, gates, hidden,
               scratch);
}

void pack_cross_memory(const CpuContext& context, const LayerShape& shape,
                       const DecoderExpert& expert, const float* memory, int64_t len,
                       PackedKeysValues& packed, LayerScratch& scratch) {
  const int64_t width = shape.d_model;
  const float* projected = project(context, expert.cross_key_value, memory, len, scratch);
  packed.resize(len, shape.num_heads, shape.head_dim());
  context.threads->for_ranges(shape.num_heads, 2 * len * width,
                              [&](int, int64_t begin, int64_t end) {
                                for (int64_t head = begin; head < end; ++head) {
                                  const float* keys = projected + head * shape.head_dim();
                                  packed.pack_head(head, keys, keys + width, 2 * width);
                                }
                              });
}

void decoder_layer_step(const CpuContext& context, const LayerShape& shape,
                        const DecoderExpert& expert, const KeyValueCache& cache,
                        std::span<const DecoderRow> rows, float* hidden, LayerScratch& scratch) {
  const int64_t width = shape.d_model, head_dim = shape.head_dim(), heads = shape.num_heads;
  const auto count = static_cast<int64_t>(rows.size());
  const ComputeType type = cache.type();
  const float* projected = project(context, expert.qkv, hidden, count, scratch);
  float* mixed = scratch.mixed.reserve(count * width);
  int64_t operations = 0;
  for (const DecoderRow& row : rows) {
    operations += 2 * width * static_cast<int64_t>(row.cells.size());
  }
  context.threads->for_ranges(
      count * heads, operations, [&](int thread, int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const DecoderRow& row = rows[item / heads];
          const int64_t offset = item % heads * head_dim;
          const float* query = projected + item / heads * 3 * width + offset;
          auto* head_cache = static_cast<std::byte*>(row.cache) + offset * size_of(type);
          std::byte* cell = head_cache + row.cells.back() * cache.stride() * size_of(type);
          store_cached(type, query + width, head_dim, cell);
          store_cached(type, query + 2 * width, head_dim, cell + width * size_of(type));
          attend_cached(type, head_cache, cache.stride(), width, row.cells, head_dim, query,
                        mixed + item / heads * width + offset, scratch.attention[thread]);
        }
      });
  add_attention(context, shape, expert.out, expert.attention_norm, count, hidden, scratch);

  const float* queries = project(context, expert.cross_query, hidden, count, scratch);
  const std::vector<SourceRows> groups = rows_by_source(rows);
  const auto items = static_cast<int64_t>(groups.size()) * heads;
  operations = 0;
  for (const DecoderRow& row : rows) operations += 2 * width * row.source->len();
  context.threads->for_ranges(items, operations, [&](int thread, int64_t begin, int64_t end) {
    context.blocks->begin();
    for (int64_t item = begin; item < end; ++item) {
      const SourceRows& group = groups[item / heads];
      const int64_t head = item % heads, offset = group.first * width + head * head_dim;
      attend_packed(*context.blocks, *rows[group.first].source, head, head_dim, queries + offset,
                    width, group.count, mixed + offset, width, scratch.attention[thread]);
    }
    context.blocks->end();
  });
  add_attention(context, shape, expert.cross_out, expert.cross_norm, count, hidden, scratch);
  const auto gates = [&](const auto& add) {
    for (const DecoderRow& row : rows) add(row.gates, 1);
  };
  feed_forward(context, shape, expert.feed_forward, expert.final_norm, count, gates, hidden,
               scratch);
}

}  // namespace trivium
