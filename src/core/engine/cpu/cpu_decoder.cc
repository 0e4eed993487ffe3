#include "core/engine/cpu/cpu_decoder.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium {
namespace {

// Groups of 32 logits that are computed before they are scanned: 32 rows of them are 64 KiB. A
// scan's sum is so the one that a whole row's has.
constexpr int64_t kPieceGroups = kScanPiece / kBlock;
static_assert(kPieceGroups * kBlock == kScanPiece);

// Floats from one row of a piece to the next: a line more, so that rows do not all fall on one set
// of the cache.
constexpr int64_t kPieceStride = kPieceGroups * kBlock + 16;

int64_t num_pieces_of(const PackedMatrix& tokens) {
  return (tokens.num_groups() + kPieceGroups - 1) / kPieceGroups;
}

// Sources short of this many tokens together are not worth a pass of the encoder by themselves: it
// reads all of its weights.
constexpr int64_t kTokensTakenIn = 64;

int64_t most_active(const TaskRoute& route, float threshold) {
  size_t most = 1;
  for (const std::vector<float>& layer : route.decoder) {
    most = std::max(most, active_experts(layer, threshold).size());
  }
  return static_cast<int64_t>(most);
}

int64_t most_active(const std::vector<EngineSource>& sources, float threshold) {
  int64_t most = 1;
  for (const EngineSource& source : sources) {
    most = std::max(most, most_active(*source.route, threshold));
  }
  return most;
}

int64_t most_active(const std::vector<const TaskRoute*>& routes, float threshold) {
  int64_t most = 1;
  for (const TaskRoute* route : routes) most = std::max(most, most_active(*route, threshold));
  return most;
}

}  // namespace

CpuDecoder::CpuDecoder(CpuEngine& engine, int64_t slots, size_t places)
    : engine_(engine),
      slots_(slots),
      places_(places),
      cache_(attention_type(engine.options().type), engine.config().decoder_layers * slots_,
             engine.config().d_model),
      last_(engine.options().type, *engine.context().blocks),
      pieces_(static_cast<size_t>(engine.options().threads)),
      part_scans_(static_cast<size_t>(engine.options().threads)) {
  check(!places_.empty(), "there is something to decode");
}

CpuDecoder::CpuDecoder(CpuEngine& engine, const std::vector<EngineSource>& sources, int64_t places,
                       int64_t positions)
    : CpuDecoder(engine, most_active(sources, engine.options().expert_threshold),
                 std::min(static_cast<size_t>(places), sources.size())) {
  for (const EngineSource& source : sources) queue_.push_back({source, {}});
  rows_.reserve(positions);
  cache_.reserve(rows_.account().capacity());
  admit();
}

CpuDecoder::CpuDecoder(CpuEngine& engine, const std::vector<const TaskRoute*>& routes,
                       int64_t places)
    : CpuDecoder(engine, most_active(routes, engine.options().expert_threshold),
                 static_cast<size_t>(places)) {}

void CpuDecoder::add_source(std::vector<int32_t> ids, const TaskRoute* route) {
  check(most_active(*route, engine_.options().expert_threshold) <= slots_,
        "a source's route mixes no more experts than those that the decoder was made for");
  Waiting& added = queue_.emplace_back(Waiting{{{}, route}, std::move(ids)});
  added.source.ids = added.ids;
  try {
    checked_length(added.source, engine_.config());
  } catch (...) {
    queue_.pop_back();
    throw;
  }
}

int64_t CpuDecoder::admit() {
  const int64_t free = std::count_if(places_.begin(), places_.end(),
                                     [](const Place& place) { return !place.taken; });
  const int64_t count = std::min(free, waiting());
  int64_t tokens = 0;
  for (int64_t i = 0; i < count; ++i) tokens += static_cast<int64_t>(queue_[i].source.ids.size());
  const bool few = tokens < kTokensTakenIn && 8 * free <= static_cast<int64_t>(places_.size());
  if (count == 0 || (few && !rows_.empty())) return 0;
  std::vector<EngineSource> taken;
  for (int64_t i = 0; i < count; ++i) taken.push_back(queue_[i].source);
  take_in(taken);
  queue_.erase(queue_.begin(), queue_.begin() + count);
  plan_layers();
  return count;
}

void CpuDecoder::take_in(std::span<const EngineSource> sources) {
  size_t place = 0;
  while (!sources.empty()) {
    const std::span<const EngineSource> group = sources.first(group_size(sources));
    const float* memory = engine_.encode(group);
    for (const EngineSource& source : group) {
      while (places_[place].taken) ++place;
      pack_source(source, memory, places_[place]);
      rows_.add(place);
      memory += static_cast<int64_t>(source.ids.size()) * engine_.config().d_model;
    }
    sources = sources.subspan(group.size());
  }
}

// memory: [source.ids.size(), d_model].
void CpuDecoder::pack_source(const EngineSource& source, const float* memory, Place& place) {
  const auto& layers = engine_.weights().decoder;
  check(source.route->decoder.size() == layers.size(), "the route is of another model");
  place.taken = true;
  place.own = source.route->own;
  place.gates = static_cast<int32_t>(source.route->gates);
  place.route.resize(layers.size());
  place.memory.resize(layers.size());
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    place.route[layer] =
        engine_.weights().active(*source.route, {true, layer}, engine_.options().expert_threshold);
    auto& packed = place.memory[layer];  // kept from the place's last source, to be filled anew
    while (packed.size() < place.route[layer].size()) packed.emplace_back(cache_.type());
    for (size_t slot = 0; slot < place.route[layer].size(); ++slot) {
      const auto expert = static_cast<size_t>(place.route[layer][slot].expert);
      pack_cross_memory(stack(), layers[layer].at(expert), memory,
                        static_cast<int64_t>(source.ids.size()), packed[slot]);
    }
  }
}

CpuStack CpuDecoder::stack() {
  return {engine_.context(), decoder_shape(engine_.config()), engine_.scratch()};
}

void CpuDecoder::free_places() {
  for (Place& place : places_) place.taken = false;
  for (const DecodingRow& row : rows_) places_[row.source].taken = true;
  for (Place& place : places_) {
    if (!place.taken) place.own.reset();
  }
}

// Which rows each expert runs; changes only when rows do.
void CpuDecoder::plan_layers() {
  const auto& layers = engine_.weights().decoder;
  plans_.resize(layers.size());
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    std::vector<const std::vector<ActiveExpert>*> routes;
    for (const DecodingRow& row : rows_) routes.push_back(&places_[row.source].route[layer]);
    LayerPlan& plan = plans_[layer];
    plan.experts = plan_experts(routes, static_cast<int64_t>(layers[layer].size()), slots_);
    plan.pool = plan_pool(plan.experts, layers[layer],
                          [](int32_t row) { return std::pair(int64_t{row}, int64_t{1}); });
  }
}

void CpuDecoder::run_layer(size_t layer) {
  const LayerPlan& plan = plans_[layer];
  decoder_rows_.clear();
  for (int32_t use = 0; use < plan.experts.num_uses(); ++use) {
    const DecodingRow& row = rows_[plan.experts.rows[use]];
    Place& place = places_[row.source];
    const int32_t slot = plan.experts.slots[use];
    decoder_rows_.push_back({cache_.keys(static_cast<int64_t>(layer) * slots_ + slot), row.cells,
                             &place.memory[layer][slot], place.gates});
  }
  run_pool(engine_.context(), plan.pool, batch_, [&](float* hidden) {
    decoder_layer_step(stack(), plan.pool.parts, cache_, decoder_rows_, hidden);
  });
}

void CpuDecoder::run_layers(std::span<const int32_t> tokens) {
  check(static_cast<int64_t>(tokens.size()) == rows(), "one token a row");
  const int64_t width = engine_.config().d_model;
  rows_.add_cells(engine_.config().max_position_embeddings);
  cache_.reserve(rows_.account().capacity());
  positions_.clear();
  for (const DecodingRow& row : rows_) {
    positions_.push_back(static_cast<int32_t>(row.cells.size()) - 1);
  }
  batch_.count = rows();
  batch_.width = width;
  float* hidden = batch_.hidden.reserve(rows() * width);
  engine_.embed(engine_.weights().decoder_embedding, tokens, positions_, hidden);
  for (size_t layer = 0; layer < plans_.size(); ++layer) run_layer(layer);
  last_.resize(rows(), width);
  for_rows(engine_.context(), rows(), width,
           [&](int64_t row) { last_.set_row(row, batch_.hidden.data() + row * width); });
}

std::span<const float> CpuDecoder::step(std::span<const int32_t> tokens) {
  run_layers(tokens);
  const EngineWeights& weights = engine_.weights();
  logits_.reserve(rows() * vocab_size());
  const LinearPart part = {&weights.tokens, weights.logits_bias.data(), rows()};
  linear(engine_.context(), last_, {&part, 1}, {logits_.data(), vocab_size(), false, nullptr});
  return {logits_.data(), static_cast<size_t>(rows() * vocab_size())};
}

std::span<const LogitScan> CpuDecoder::step_scan(std::span<const int32_t> tokens, int count,
                                                 std::span<const std::vector<int32_t>> banned) {
  run_layers(tokens);
  const int64_t num_pieces = num_pieces_of(engine_.weights().tokens);
  // More candidates than there are tokens would only take memory.
  count = static_cast<int>(std::min<int64_t>(count, vocab_size()));
  for (std::vector<LogitScan>& scans : part_scans_) {
    scans.resize(std::max(scans.size(), tokens.size()));
    for (size_t row = 0; row < tokens.size(); ++row) scans[row].begin(count);
  }
  for (AlignedBuffer<float>& piece : pieces_) piece.reserve(kBlock * kPieceStride);
  piece_sums_.resize(tokens.size() * static_cast<size_t>(num_pieces));
  const int64_t operations = rows() * vocab_size() * engine_.config().d_model;
  engine_.context().threads->for_ranges(
      num_pieces, operations,
      [&](int thread, int64_t begin, int64_t end) { scan_pieces(begin, end, thread, banned); });
  scans_.resize(tokens.size());
  for (size_t row = 0; row < tokens.size(); ++row) {
    scans_[row].begin(count);
    for (const std::vector<LogitScan>& scans : part_scans_) scans_[row].merge(scans[row]);
    scans_[row].finish(std::span(piece_sums_).subspan(row * num_pieces, num_pieces));
  }
  return scans_;
}

void CpuDecoder::scan_pieces(int64_t piece_begin, int64_t piece_end, int thread,
                             std::span<const std::vector<int32_t>> banned) {
  const EngineWeights& weights = engine_.weights();
  const int64_t num_pieces = num_pieces_of(weights.tokens);
  float* piece = pieces_[thread].data();
  std::vector<LogitScan>& scans = part_scans_[thread];
  const BlockKernels& kernels = *engine_.context().blocks;
  alignas(64) float block[kBlock * kBlock];
  kernels.begin();
  for (int64_t index = piece_begin; index < piece_end; ++index) {
    const int64_t first = index * kPieceGroups;
    const int64_t last = std::min(first + kPieceGroups, weights.tokens.num_groups());
    const int64_t columns = std::min(last * kBlock, vocab_size()) - first * kBlock;
    for (int64_t row = 0; row < rows(); row += kBlock) {
      const int64_t count = std::min(kBlock, rows() - row);
      for (int64_t group = first; group < last; ++group) {
        scaled_block(kernels, last_, row, count, weights.tokens, group, block);
        const float* bias = weights.logits_bias.data() + group * kBlock;
        float* place = piece + (group - first) * kBlock;
        for (int64_t r = 0; r < count; ++r) {
          for (int64_t c = 0; c < kBlock; ++c) {
            place[r * kPieceStride + c] = block[r * kBlock + c] + bias[c];
          }
        }
      }
      for (int64_t r = 0; r < count; ++r) {
        piece_sums_[(row + r) * num_pieces + index] =
            scans[row + r].add({piece + r * kPieceStride, static_cast<size_t>(columns)},
                               static_cast<int32_t>(first * kBlock), banned[row + r]);
      }
    }
  }
  kernels.end();
}

void CpuDecoder::select_rows(std::span<const int32_t> parents) {
  if (!rows_.select(parents)) return;
  free_places();
  plan_layers();
}

}  // namespace trivium
