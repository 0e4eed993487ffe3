// A batch's rows on their way to the experts of a pool, and the experts' outputs on their way back.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/engine/cpu/layer_steps.h"
#include "core/engine/expert_plan.h"
#include "core/kernels/linear.h"

namespace trivium {

// `count` rows of the batch from `row` on, which stand at `place` in the order of experts.
struct PoolRows {
  int64_t row = 0, place = 0, count = 1;
  float weight = 1;  // of the expert in the rows' mixture
};

// gathered[place] = hidden[row] for all rows. hidden: [batch rows, width].
void gather_rows(const CpuContext& context, std::span<const PoolRows> uses, int64_t width,
                 const float* hidden, float* gathered);

// mixed[row] = the sum over the row's uses of weight * gathered[place], in the order of uses.
// mixed: [num_rows, width].
void mix_rows(const CpuContext& context, std::span<const PoolRows> uses, int64_t num_rows,
              int64_t width, const float* gathered, float* mixed);

// The way of a batch's rows through one layer: each expert's rows side by side.
template <typename Expert>
struct PoolPlan {
  std::vector<PoolRows> uses;  // as those of the ExpertPlan
  std::vector<LayerPart<Expert>> parts;
  int64_t rows = 0;       // of all uses together
  bool is_plain = false;  // as ExpertPlan's: rows need not move
};

// rows_of(row) is what stands for a row of `plan` in the batch: {begin, count}.
template <typename Expert, typename RowsOf>
PoolPlan<Expert> plan_pool(const ExpertPlan& plan, const std::deque<Expert>& experts,
                           const RowsOf& rows_of) {
  PoolPlan<Expert> pool;
  pool.is_plain = plan.is_plain();
  for (int32_t use = 0; use < plan.num_uses(); ++use) {
    const auto [begin, count] = rows_of(plan.rows[use]);
    pool.uses.push_back({begin, pool.rows, count, plan.weights[use]});
    const Expert* expert = &experts[plan.experts[use]];
    if (pool.parts.empty() || pool.parts.back().expert != expert) pool.parts.push_back({expert, 0});
    pool.parts.back().rows += count;
    pool.rows += count;
  }
  return pool;
}

// The hidden rows of a batch, and what moving them to a pool's experts takes.
struct BatchRows {
  AlignedBuffer<float> hidden;           // [count, width]
  AlignedBuffer<float> gathered, mixed;  // the rows sorted by expert, and the pool's output
  int64_t count = 0, width = 0;
};

// Replaces rows.hidden by the pool's output; layer(sorted) replaces the rows of all uses, one after
// the other, by their experts' output.
template <typename Expert, typename Layer>
void run_pool(const CpuContext& context, const PoolPlan<Expert>& pool, BatchRows& rows,
              const Layer& layer) {
  if (pool.is_plain) {
    layer(rows.hidden.data());
    return;
  }
  gather_rows(context, pool.uses, rows.width, rows.hidden.data(),
              rows.gathered.reserve(pool.rows * rows.width));
  layer(rows.gathered.data());
  mix_rows(context, pool.uses, rows.count, rows.width, rows.gathered.data(),
           rows.mixed.reserve(rows.count * rows.width));
  std::swap(rows.hidden, rows.mixed);
}

}  // namespace trivium
