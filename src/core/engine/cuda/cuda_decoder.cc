#include "core/engine/cuda/cuda_decoder.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium {
namespace {

constexpr int kLogits = -1;  // instead of a number of best tokens: all logits

int64_t power_of_two(int64_t least) {
  int64_t power = 1;
  while (power < least) power *= 2;
  return power;
}

int64_t address(const void* pointer) { return reinterpret_cast<int64_t>(pointer); }

}  // namespace

CudaDecoder::CudaDecoder(CudaEngine& engine, std::span<const EngineSource> sources,
                         int64_t positions)
    : engine_(engine), type_(engine.options().type) {
  check(!sources.empty(), "there is something to decode");
  compute_memory(sources);
  rows_.reserve(std::max<int64_t>(positions, 1));
  grow_cache(rows_.account().capacity());
}

void CudaDecoder::compute_memory(std::span<const EngineSource> sources) {
  cuda::DeviceMemory memory;
  engine_.encode(sources, memory);
  const std::vector<CudaLayer>& layers = engine_.weights().decoder;
  for (const EngineSource& source : sources) {
    check(source.route->decoder.size() == layers.size(), "the route is of another model");
    Source added;
    added.len = static_cast<int32_t>(source.ids.size());
    added.gates = static_cast<int32_t>(source.route->gates);
    for (const std::vector<float>& weights : source.route->decoder) {
      added.route.push_back(active_experts(weights, engine_.options().expert_threshold));
      slots_ = std::max(slots_, static_cast<int64_t>(added.route.back().size()));
    }
    rows_.add(sources_.size());
    sources_.push_back(std::move(added));
  }
  int64_t positions = 0;
  for (const Source& source : sources_) positions += source.len;
  std::vector<ExpertPlan> plans;
  size_t bytes = 0;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    std::vector<std::vector<ActiveExpert>> experts;
    for (const Source& source : sources_) experts.push_back(source.route[layer]);
    const ExpertPlan& plan =
        plans.emplace_back(plan_positions(sources, experts, layers[layer].num_experts));
    bytes += plan_bytes(plan, 0);
    const auto slots = static_cast<int64_t>(plan.uses.size()) / positions;
    int64_t row = 0;
    for (Source& source : sources_) {
      // The uses of a sequence in one expert lie side by side, in the order of its positions.
      source.memory_begins.emplace_back(
          plan.uses.begin() + row * slots,
          plan.uses.begin() + row * slots + static_cast<int64_t>(source.route[layer].size()));
      row += source.len;
    }
  }
  plan_arena_.begin(bytes);
  std::vector<CudaPlan> placed;
  for (const ExpertPlan& plan : plans) placed.push_back(place_plan(plan_arena_, plan, positions));
  plan_arena_.upload(engine_.stream());
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    cross_.emplace_back(static_cast<size_t>(int64_t{2} * plans[layer].num_uses() *
                                            engine_.config().d_model * size_of(type_)));
    cuda_cross_memory(engine_.stream(), layers[layer], placed[layer], memory.as<float>(),
                      cross_.back().as<void>());
  }
  engine_.stream().synchronize();
}

void CudaDecoder::grow_cache(int64_t cells) {
  const size_t cell_bytes = static_cast<size_t>(2 * engine_.config().d_model * size_of(type_));
  const int64_t planes = engine_.config().decoder_layers * slots_;
  cuda::DeviceMemory larger(static_cast<size_t>(planes * cells) * cell_bytes);
  for (int64_t plane = 0; plane < planes && cells_ > 0; ++plane) {
    engine_.stream().copy_on_device(
        larger.as<std::byte>() + static_cast<size_t>(plane * cells) * cell_bytes,
        self_.as<std::byte>() + static_cast<size_t>(plane * cells_) * cell_bytes,
        static_cast<size_t>(cells_) * cell_bytes);
  }
  engine_.stream().synchronize();
  self_ = std::move(larger);
  cells_ = cells;
  plans_are_stale_ = true;  // they say where a slot's cells begin
}

// Which rows each expert runs; changes only when rows do.
void CudaDecoder::plan_layers() {
  const std::vector<CudaLayer>& layers = engine_.weights().decoder;
  std::vector<ExpertPlan> plans;
  size_t bytes = 0;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    std::vector<const std::vector<ActiveExpert>*> routes;
    for (const DecodingRow& row : rows_) routes.push_back(&sources_[row.source].route[layer]);
    plans.push_back(plan_experts(routes, layers[layer].num_experts, slots_));
    bytes += plan_bytes(plans.back(), 3);
  }
  std::vector<int32_t> gates;
  for (const DecodingRow& row : rows_) gates.push_back(sources_[row.source].gates);
  bytes += gates.size() * sizeof(int32_t) + 16;
  plan_arena_.begin(bytes);
  const int32_t* placed_gates = plan_arena_.add(gates);
  plans_.clear();
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    const ExpertPlan& plan = plans[layer];
    std::vector<int32_t> self_begins, cross_begins, cross_lengths;
    for (int32_t use = 0; use < plan.num_uses(); ++use) {
      const Source& source = sources_[rows_[plan.rows[use]].source];
      self_begins.push_back(static_cast<int32_t>(plan.slots[use] * cells_));
      cross_begins.push_back(source.memory_begins[layer][plan.slots[use]]);
      cross_lengths.push_back(source.len);
    }
    CudaPlan& placed = plans_.emplace_back(place_plan(plan_arena_, plan, rows()));
    placed.gates = placed_gates;
    placed.self_begins = plan_arena_.add(self_begins);
    placed.cross_begins = plan_arena_.add(cross_begins);
    placed.cross_lengths = plan_arena_.add(cross_lengths);
  }
  plan_arena_.upload(engine_.stream());
  plans_are_stale_ = false;
}

void CudaDecoder::add_cells(std::span<const int32_t> tokens) {
  check(static_cast<int64_t>(tokens.size()) == rows(), "one token a row");
  rows_.add_cells(engine_.config().max_position_embeddings);
  if (rows_.account().capacity() > cells_) grow_cache(rows_.account().capacity());
}

void CudaDecoder::fill_inputs(std::span<const int32_t> tokens,
                              std::span<const std::vector<int32_t>> banned) {
  int64_t longest = 0, bans = 0;
  for (const DecodingRow& row : rows_) longest = std::max<int64_t>(longest, row.cells.size());
  for (const std::vector<int32_t>& row : banned) bans += static_cast<int64_t>(row.size());
  if (rows() > inputs_.rows || longest > inputs_.cells_stride || bans > inputs_.banned) {
    inputs_.rows = power_of_two(std::max(rows(), inputs_.rows));
    inputs_.cells_stride = power_of_two(std::max<int64_t>({longest, inputs_.cells_stride, 64}));
    inputs_.banned = power_of_two(std::max<int64_t>({bans, inputs_.banned, 64}));
    inputs_.host.reserve(inputs_.bytes());
    inputs_.device.reserve(inputs_.bytes());
  }
  auto* values = inputs_.host.as<int32_t>();
  int32_t* bans_end = values + inputs_.bans();
  for (int64_t row = 0; row < rows_.size(); ++row) {
    const std::vector<int32_t>& cells = rows_[row].cells;
    const auto length = static_cast<int32_t>(cells.size());
    values[row] = tokens[row];
    values[inputs_.positions() + row] = length - 1;
    values[inputs_.lengths() + row] = length;
    std::copy(cells.begin(), cells.end(), values + inputs_.cells() + row * inputs_.cells_stride);
    values[inputs_.ban_begins() + row] = static_cast<int32_t>(bans_end - values - inputs_.bans());
    if (row < static_cast<int64_t>(banned.size())) {
      bans_end = std::copy(banned[row].begin(), banned[row].end(), bans_end);
    }
  }
  values[inputs_.ban_begins() + rows()] = static_cast<int32_t>(bans_end - values - inputs_.bans());
}

void CudaDecoder::reserve_outputs(int count) {
  int64_t uses = 0;
  for (const CudaPlan& plan : plans_) uses = std::max<int64_t>(uses, plan.uses.rows);
  const ModelConfig& config = engine_.config();
  scratch_.reserve(uses, config);
  const auto size = static_cast<size_t>(rows());
  hidden_.reserve(size * static_cast<size_t>(config.d_model) * sizeof(float));
  if (count == kLogits) {
    const size_t bytes = size * static_cast<size_t>(vocab_size()) * sizeof(float);
    device_logits_.reserve(bytes);
    logits_.reserve(bytes);
    return;
  }
  const size_t best_bytes = size * static_cast<size_t>(count) * sizeof(cuda::ScoredToken);
  device_sums_.reserve(size * sizeof(cuda::ExpSum));
  sums_.reserve(size * sizeof(cuda::ExpSum));
  device_best_.reserve(best_bytes);
  best_.reserve(best_bytes);
  scan_scratch_.reserve(
      static_cast<size_t>(cuda::vocabulary_scan_scratch(vocab_size(), rows(), count)));
}

// All that the recorded launches depend on: sizes, and where memory is.
std::vector<int64_t> CudaDecoder::recording_key(int count) const {
  std::vector<int64_t> key = {count,
                              rows(),
                              inputs_.rows,
                              inputs_.cells_stride,
                              inputs_.banned,
                              address(inputs_.host.as<void>()),
                              address(inputs_.device.as<void>()),
                              address(self_.as<void>()),
                              address(hidden_.as<void>()),
                              address(scratch_.projected.as<void>()),
                              address(scratch_.mixed.as<void>()),
                              address(scratch_.state.as<void>()),
                              address(scratch_.inner.as<void>()),
                              address(scratch_.tokens.as<void>()),
                              address(device_logits_.as<void>()),
                              address(logits_.as<void>()),
                              address(device_sums_.as<void>()),
                              address(sums_.as<void>()),
                              address(device_best_.as<void>()),
                              address(best_.as<void>()),
                              address(scan_scratch_.as<void>())};
  for (const CudaPlan& plan : plans_) {
    key.insert(key.end(), {address(plan.uses.tiles), plan.uses.num_tiles, plan.uses.tile_rows,
                           plan.uses.rows, address(plan.cross_lengths), address(plan.gates)});
  }
  return key;
}

void CudaDecoder::queue(int count) {
  cuda::Stream& stream = engine_.stream();
  stream.copy_to_device(inputs_.device.as<void>(), inputs_.host.as<void>(), inputs_.bytes());
  const auto* values = inputs_.device.as<int32_t>();
  auto* hidden = hidden_.as<float>();
  cuda::RowEmbedding embed = engine_.embedding(engine_.weights().decoder_embedding);
  embed.ids = values;
  embed.positions = values + inputs_.positions();
  embed.out = hidden;
  embed.rows = rows();
  cuda::embed_rows(stream, embed);
  const int64_t plane_bytes = cells_ * 2 * engine_.config().d_model * size_of(type_);
  const CudaStack stack = {stream, decoder_shape(engine_.config()), scratch_};
  for (size_t layer = 0; layer < plans_.size(); ++layer) {
    const CudaCache cache = {
        type_,
        self_.as<std::byte>() + static_cast<int64_t>(layer) * slots_ * plane_bytes,
        values + inputs_.cells(),
        inputs_.cells_stride,
        values + inputs_.lengths(),
        cross_[layer].as<void>()};
    cuda_decoder_layer_step(stack, engine_.weights().decoder[layer], plans_[layer], cache, hidden);
  }
  if (count != kLogits) return queue_scan(count);
  cuda::GroupedLinear linear;
  linear.matrices = engine_.weights().tokens;
  linear.rows = cuda::dense_rows(rows());
  linear.input = hidden;
  linear.out = device_logits_.as<void>();
  cuda::grouped_linear(stream, linear);
  stream.copy_to_host(logits_.as<void>(), device_logits_.as<void>(),
                      static_cast<size_t>(rows() * vocab_size()) * sizeof(float));
}

void CudaDecoder::queue_scan(int count) {
  const auto* values = inputs_.device.as<int32_t>();
  cuda::VocabularyScan scan;
  scan.matrices = engine_.weights().tokens;
  scan.input = hidden_.as<float>();
  scan.rows = static_cast<int32_t>(rows());
  scan.count = count;
  scan.ban_begins = values + inputs_.ban_begins();
  scan.banned = values + inputs_.bans();
  scan.best = device_best_.as<cuda::ScoredToken>();
  scan.sums = device_sums_.as<cuda::ExpSum>();
  scan.scratch = scan_scratch_.as<void>();
  cuda::vocabulary_scan(engine_.stream(), scan);
  const auto size = static_cast<size_t>(rows());
  engine_.stream().copy_to_host(sums_.as<void>(), scan.sums, size * sizeof(cuda::ExpSum));
  if (count > 0) {
    engine_.stream().copy_to_host(best_.as<void>(), scan.best,
                                  size * static_cast<size_t>(count) * sizeof(cuda::ScoredToken));
  }
}

void CudaDecoder::run(std::span<const int32_t> tokens, int count,
                      std::span<const std::vector<int32_t>> banned) {
  cuda::Stream& stream = engine_.stream();
  stream.make_current();
  add_cells(tokens);
  if (plans_are_stale_) plan_layers();
  fill_inputs(tokens, banned);
  reserve_outputs(count);
  if (std::vector<int64_t> key = recording_key(count); key != recorded_) {
    recorded_.clear();
    graph_ = stream.record([&] { queue(count); });
    recorded_ = std::move(key);
    ++recordings_;
  }
  stream.launch(graph_);
  stream.synchronize();
}

std::span<const float> CudaDecoder::step(std::span<const int32_t> tokens) {
  run(tokens, kLogits, {});
  return {logits_.as<float>(), static_cast<size_t>(rows() * vocab_size())};
}

std::span<const LogitScan> CudaDecoder::step_scan(std::span<const int32_t> tokens, int count,
                                                  std::span<const std::vector<int32_t>> banned) {
  if (count > cuda::kScanColumns) return StepDecoder::step_scan(tokens, count, banned);
  run(tokens, count, banned);
  scans_.resize(tokens.size());
  for (size_t row = 0; row < tokens.size(); ++row) {
    candidates_.clear();
    for (int n = 0; n < count; ++n) {
      const cuda::ScoredToken& best = best_.as<cuda::ScoredToken>()[row * count + n];
      if (best.token >= 0) candidates_.push_back({best.logit, best.token});
    }
    const cuda::ExpSum& sum = sums_.as<cuda::ExpSum>()[row];
    scans_[row].assign(candidates_, sum.max, sum.sum);
  }
  return scans_;
}

void CudaDecoder::select_rows(std::span<const int32_t> parents) {
  if (rows_.select(parents)) plans_are_stale_ = true;
}

}  // namespace trivium
