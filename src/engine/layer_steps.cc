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

// hidden = norm(hidden + W2 gelu(W1 hidden + b1) + b2).
void feed_forward(const CpuContext& context, const LayerShape& shape, const PackedLinear& fc1,
                  const PackedLinear& fc2, const LayerNormWeights& norm, int64_t rows,
                  float* hidden, LayerScratch& scratch) {
  // A line more than d_ffn, so that rows do not all fall on one set of the cache.
  const int64_t width = shape.d_model, d_ffn = fc1.weights.columns(), stride = d_ffn + 16;
  float* inner = scratch.inner.reserve(std::min(rows, kFeedForwardRows) * stride);
  for (int64_t first = 0; first < rows; first += kFeedForwardRows) {
    const int64_t count = std::min(kFeedForwardRows, rows - first);
    float* place = hidden + first * width;
    round_rows(context, place, width, count, width, scratch.narrow);
    linear(context, scratch.narrow, fc1.weights, {inner, stride, fc1.bias.data(), true, nullptr});
    round_rows(context, inner, stride, count, d_ffn, scratch.wide);
    linear(context, scratch.wide, fc2.weights, {place, width, fc2.bias.data(), false, place});
  }
  norm_rows(context, shape, norm, rows, hidden);
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
  feed_forward(context, shape, expert.fc1, expert.fc2, expert.final_norm, rows, hidden, scratch);
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
  feed_forward(context, shape, expert.fc1, expert.fc2, expert.final_norm, count, hidden, scratch);
}

}  // namespace trivium
