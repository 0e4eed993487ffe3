#include "core/engine/cpu/layer_steps.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/kernels/layer_norm.h"

namespace trivium {
namespace {

// Rows whose feed-forward's inner values are held at a time: they stay in the caches.
constexpr int64_t kFeedForwardRows = 512;

void round_rows(const CpuContext& context, const float* values, int64_t stride, int64_t rows,
                int64_t depth, Activations& rounded) {
  rounded.resize(rows, depth);
  for_rows(context, rows, depth, [&](int64_t row) { rounded.set_row(row, values + row * stride); });
}

// The products of rows [first, first + count) of all the parts' rows by `layer` of their network.
void set_parts(std::span<const NetworkPart> networks,
               PackedLinear FeedForwardWeights::Expert::*layer, int64_t first, int64_t count,
               std::vector<LinearPart>& parts) {
  parts.clear();
  int64_t begin = 0;
  for (const NetworkPart& part : networks) {
    const int64_t end = begin + part.rows;
    const int64_t rows = std::min(end, first + count) - std::max(begin, first);
    const PackedLinear& linear = part.network->*layer;
    if (rows > 0) parts.push_back({&linear.weights, linear.bias.data(), rows});
    begin = end;
  }
}

// out[i] = W2 gelu(W1 row(i) + b1) + b2 + residual[i] for the rows of scratch.networks, where `row`
// gives the places of the inputs [d_model]. out, residual (or null): [rows, d_model].
template <typename Row>
void run_networks(const CpuContext& context, int64_t rows, const Row& row, float* out,
                  const float* residual, LayerScratch& scratch) {
  const std::span<const NetworkPart> networks = scratch.networks;
  const PackedMatrix& wide = networks.front().network->fc1.weights;
  // A line more than d_ffn, so that rows do not all fall on one set of the cache.
  const int64_t width = wide.depth(), d_ffn = wide.columns(), stride = d_ffn + 16;
  float* inner = scratch.inner.reserve(std::min(rows, kFeedForwardRows) * stride);
  for (int64_t first = 0; first < rows; first += kFeedForwardRows) {
    const int64_t count = std::min(kFeedForwardRows, rows - first), place = first * width;
    scratch.narrow.resize(count, width);
    for_rows(context, count, width, [&](int64_t i) { scratch.narrow.set_row(i, row(first + i)); });
    set_parts(networks, &FeedForwardWeights::Expert::fc1, first, count, scratch.parts);
    linear(context, scratch.narrow, scratch.parts, {inner, stride, true, nullptr});
    round_rows(context, inner, stride, count, d_ffn, scratch.wide);
    set_parts(networks, &FeedForwardWeights::Expert::fc2, first, count, scratch.parts);
    linear(context, scratch.wide, scratch.parts,
           {out + place, width, false, residual == nullptr ? nullptr : residual + place});
  }
}

// hidden += each token's expert of it, the expert chosen by the token's gate (docs/spec/mt_tag.md,
// section 1), which scratch.gates has.
void add_token_experts(const CpuContext& context, const FeedForwardWeights& pool, int64_t rows,
                       int64_t width, float* hidden, LayerScratch& scratch) {
  const size_t num_experts = pool.experts.size();
  scratch.choices.resize(rows);
  for_rows(context, rows, width * static_cast<int64_t>(num_experts), [&](int64_t row) {
    scratch.choices[row] = choose_expert(hidden + row * width, width, scratch.gates[row],
                                         static_cast<int64_t>(num_experts));
  });
  if (scratch.gate_log != nullptr) scratch.gate_log->push_back(scratch.choices);
  scratch.by_expert.clear();
  scratch.networks.clear();
  for (size_t e = 0; e < num_experts; ++e) {
    const size_t begin = scratch.by_expert.size();
    for (int32_t row = 0; row < static_cast<int32_t>(rows); ++row) {
      if (scratch.choices[row].expert == static_cast<int32_t>(e)) scratch.by_expert.push_back(row);
    }
    scratch.networks.push_back(
        {&pool.experts[e], static_cast<int64_t>(scratch.by_expert.size() - begin)});
  }
  float* outputs = scratch.mixed.reserve(rows * width);  // in the order of by_expert
  run_networks(
      context, rows, [&](int64_t i) { return hidden + scratch.by_expert[i] * width; }, outputs,
      nullptr, scratch);
  for_rows(context, rows, width, [&](int64_t i) {
    const int32_t row = scratch.by_expert[i];
    const float factor = pool.factor(scratch.choices[row].probability);
    const float* output = outputs + i * width;
    float* place = hidden + row * width;
    for (int64_t k = 0; k < width; ++k) place[k] += factor * output[k];
  });
}

// What both stacks' layers are made of.
template <typename Expert>
class LayerRun {
 public:
  // hidden: [rows of all parts, d_model].
  LayerRun(const CpuStack& stack, std::span<const LayerPart<Expert>> parts, float* hidden)
      : context_(stack.context),
        shape_(stack.shape),
        parts_(parts),
        hidden_(hidden),
        scratch_(stack.scratch) {
    for (const LayerPart<Expert>& part : parts) rows_ += part.rows;
    scratch_.gates.clear();
  }

  int64_t rows() const { return rows_; }

  // input W^T + bias of `layer`, [rows, its columns]. input: [rows, d_model].
  const float* project(PackedLinear Expert::*layer, const float* input) {
    const int64_t columns = (parts_.front().expert->*layer).weights.columns();
    round_rows(context_, input, shape_.d_model, rows_, shape_.d_model, scratch_.narrow);
    float* out = scratch_.projected.reserve(rows_ * columns);
    multiply(layer, {out, columns, false, nullptr});
    return out;
  }

  // hidden = norm(hidden + mixed W^T + bias): the end of an attention, whose result is in
  // scratch.mixed.
  void add_attention(PackedLinear Expert::*out, LayerNormWeights Expert::*norm) {
    const int64_t width = shape_.d_model;
    round_rows(context_, scratch_.mixed.data(), width, rows_, width, scratch_.narrow);
    multiply(out, {hidden_, width, false, hidden_});
    norm_rows(norm);
  }

  // The next `count` rows take the token gates of row `gate`, where the layer has such.
  void add_gates(int32_t gate, int64_t count) {
    const FeedForwardWeights& part = parts_.front().expert->feed_forward;
    if (part.experts.size() == 1) return;
    scratch_.gates.insert(scratch_.gates.end(), static_cast<size_t>(count),
                          part.gate(gate, shape_.d_model));
  }

  // hidden = norm(hidden + the feed-forward part of it).
  void feed_forward() {
    const FeedForwardWeights& first = parts_.front().expert->feed_forward;
    const int64_t width = shape_.d_model;
    if (first.experts.size() > 1) {
      check(parts_.size() == 1, "a layer is a pool, or its feed-forward part is one");
      add_token_experts(context_, first, rows_, width, hidden_, scratch_);
    } else {
      scratch_.networks.clear();
      for (const LayerPart<Expert>& part : parts_) {
        scratch_.networks.push_back({&part.expert->feed_forward.experts[0], part.rows});
      }
      run_networks(
          context_, rows_, [&](int64_t row) { return hidden_ + row * width; }, hidden_, hidden_,
          scratch_);
    }
    norm_rows(&Expert::final_norm);
  }

 private:
  void multiply(PackedLinear Expert::*layer, const LinearOutput& output) {
    scratch_.parts.clear();
    for (const LayerPart<Expert>& part : parts_) {
      const PackedLinear& linear = part.expert->*layer;
      scratch_.parts.push_back({&linear.weights, linear.bias.data(), part.rows});
    }
    linear(context_, scratch_.narrow, scratch_.parts, output);
  }

  void norm_rows(LayerNormWeights Expert::*norm) {
    const int64_t width = shape_.d_model;
    context_.threads->for_ranges(rows_, 4 * rows_ * width, [&](int, int64_t begin, int64_t end) {
      int64_t first = 0;
      for (const LayerPart<Expert>& part : parts_) {
        const LayerNormWeights& weights = part.expert->*norm;
        const int64_t stop = std::min(end, first + part.rows);
        for (int64_t row = std::max(begin, first); row < stop; ++row) {
          float* place = hidden_ + row * width;
          layer_norm_row(place, width, weights.gamma.data(), weights.beta.data(),
                         shape_.layer_norm_eps, place);
        }
        first += part.rows;
      }
    });
  }

  const CpuContext& context_;
  const LayerShape& shape_;
  std::span<const LayerPart<Expert>> parts_;
  float* hidden_;
  LayerScratch& scratch_;
  int64_t rows_ = 0;
};

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

// What attention costs where `length(row)` is how many places a row attends over.
struct AttentionWork {
  int64_t operations = 0, longest = 0;

  template <typename Length>
  AttentionWork(std::span<const DecoderRow> rows, int64_t width, const Length& length) {
    for (const DecoderRow& row : rows) {
      operations += 2 * width * length(row);
      longest = std::max(longest, length(row));
    }
  }
};

}  // namespace

void encoder_layer(const CpuStack& stack, std::span<const LayerPart<EncoderExpert>> parts,
                   std::span<const Segment> segments, float* hidden) {
  const CpuContext& context = stack.context;
  const LayerShape& shape = stack.shape;
  LayerScratch& scratch = stack.scratch;
  const int64_t width = shape.d_model, head_dim = shape.head_dim();
  LayerRun<EncoderExpert> run(stack, parts, hidden);
  check(run.rows() == segments.back().begin + segments.back().len, "every row is of a part");
  const float* projected = run.project(&EncoderExpert::qkv, hidden);
  float* mixed = scratch.mixed.reserve(run.rows() * width);
  const ComputeType type = attention_type(parts.front().expert->qkv.weights.type());
  const auto count = static_cast<int64_t>(segments.size());
  while (static_cast<int64_t>(scratch.self.size()) < count) scratch.self.emplace_back(type);
  int64_t operations = 0, longest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t len = segments[i].len;
    scratch.self[i].resize(len, shape.num_heads, head_dim);
    operations += 2 * len * len * width;
    longest = std::max(longest, len);
  }
  for (AttentionScratch& own : scratch.attention) {
    own.reserve_packed(*context.blocks, type, head_dim, longest);
  };
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
  run.add_attention(&EncoderExpert::out, &EncoderExpert::attention_norm);
  for (const Segment& segment : segments) run.add_gates(segment.gates, segment.len);
  run.feed_forward();
}

void pack_cross_memory(const CpuStack& stack, const DecoderExpert& expert, const float* memory,
                       int64_t len, PackedKeysValues& packed) {
  const LayerShape& shape = stack.shape;
  const int64_t width = shape.d_model;
  const LayerPart<DecoderExpert> part = {&expert, len};
  LayerRun<DecoderExpert> run(stack, {&part, 1}, /*hidden=*/nullptr);
  const float* projected = run.project(&DecoderExpert::cross_key_value, memory);
  packed.resize(len, shape.num_heads, shape.head_dim());
  stack.context.threads->for_ranges(shape.num_heads, 2 * len * width,
                                    [&](int, int64_t begin, int64_t end) {
                                      for (int64_t head = begin; head < end; ++head) {
                                        const float* keys = projected + head * shape.head_dim();
                                        packed.pack_head(head, keys, keys + width, 2 * width);
                                      }
                                    });
}

void decoder_layer_step(const CpuStack& stack, std::span<const LayerPart<DecoderExpert>> parts,
                        const KeyValueCache& cache, std::span<const DecoderRow> rows,
                        float* hidden) {
  const CpuContext& context = stack.context;
  const LayerShape& shape = stack.shape;
  LayerScratch& scratch = stack.scratch;
  const int64_t width = shape.d_model, head_dim = shape.head_dim(), heads = shape.num_heads;
  const auto count = static_cast<int64_t>(rows.size());
  const ComputeType type = cache.type();
  LayerRun<DecoderExpert> run(stack, parts, hidden);
  check(run.rows() == count, "every row is of a part");
  const float* projected = run.project(&DecoderExpert::qkv, hidden);
  float* mixed = scratch.mixed.reserve(count * width);
  const AttentionWork self(
      rows, width, [](const DecoderRow& row) { return static_cast<int64_t>(row.cells.size()); });
  for (AttentionScratch& own : scratch.attention) own.reserve_cached(self.longest);
  context.threads->for_ranges(
      count * heads, self.operations, [&](int thread, int64_t begin, int64_t end) {
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
  run.add_attention(&DecoderExpert::out, &DecoderExpert::attention_norm);

  const float* queries = run.project(&DecoderExpert::cross_query, hidden);
  const std::vector<SourceRows> groups = rows_by_source(rows);
  const auto items = static_cast<int64_t>(groups.size()) * heads;
  const AttentionWork cross(rows, width, [](const DecoderRow& row) { return row.source->len(); });
  for (AttentionScratch& own : scratch.attention) {
    own.reserve_packed(*context.blocks, type, head_dim, cross.longest);
  };
  context.threads->for_ranges(items, cross.operations, [&](int thread, int64_t begin, int64_t end) {
    context.blocks->begin();
    for (int64_t item = begin; item < end; ++item) {
      const SourceRows& group = groups[item / heads];
      const int64_t head = item % heads, offset = group.first * width + head * head_dim;
      attend_packed(*context.blocks, *rows[group.first].source, head, head_dim, queries + offset,
                    width, group.count, mixed + offset, width, scratch.attention[thread]);
    }
    context.blocks->end();
  });
  run.add_attention(&DecoderExpert::cross_out, &DecoderExpert::cross_norm);
  for (const DecoderRow& row : rows) run.add_gates(row.gates, 1);
  run.feed_forward();
}

}  // namespace trivium
