// Cached decoding on the CPU, where every row follows its own route.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "core/engine/cpu/cpu_engine.h"
#include "core/engine/cpu/key_value_cache.h"
#include "core/engine/cpu/pool_rows.h"
#include "core/engine/decoding_rows.h"
#include "core/generation/step_decoder.h"

namespace trivium {

class CpuDecoder : public StepDecoder {
 public:
  // Decodes up to `places` of the sources at once, in their order; each is encoded when it gets its
  // place, and what it points to must last until then. One decoder of an engine at a time takes a
  // step. `positions` is how many tokens of how many rows are expected together; more are possible,
  // at the price of an allocation. Errors as Engine::start.
  CpuDecoder(CpuEngine& engine, const std::vector<EngineSource>& sources, int64_t places,
             int64_t positions);
  // Of no sources yet, as Engine::start_empty.
  CpuDecoder(CpuEngine& engine, const std::vector<const TaskRoute*>& routes, int64_t places);

  int64_t vocab_size() const override { return engine_.config().vocab_size; }
  int64_t rows() const override { return rows_.size(); }
  int64_t waiting() const override { return static_cast<int64_t>(queue_.size()); }
  void add_source(std::vector<int32_t> ids, const TaskRoute* route) override;
  int64_t admit() override;
  // Error kUsage beyond the model's positions.
  std::span<const float> step(std::span<const int32_t> tokens) override;
  // Reads the logits in pieces that stay in the cache, and writes none down.
  std::span<const LogitScan> step_scan(std::span<const int32_t> tokens, int count,
                                       std::span<const std::vector<int32_t>> banned) override;
  void select_rows(std::span<const int32_t> parents) override;

 private:
  // A source's place in the batch, and what is computed once for it.
  struct Place {
    bool taken = false;
    int32_t gates = 0;                                  // the row of its token gates
    std::vector<std::vector<ActiveExpert>> route;       // [decoder_layers]
    std::shared_ptr<const OwnExperts> own;              // which are not forgotten meanwhile
    std::vector<std::vector<PackedKeysValues>> memory;  // [decoder_layers][experts of its route]
  };
  // A source that waits, with its ids where nobody else keeps them.
  struct Waiting {
    EngineSource source;
    std::vector<int32_t> ids;
  };
  // Which rows of a layer take which experts.
  struct LayerPlan {
    ExpertPlan experts;
    PoolPlan<DecoderExpert> pool;
  };

  CpuDecoder(CpuEngine& engine, int64_t slots, size_t places);
  CpuStack stack();
  void take_in(std::span<const EngineSource> sources);
  void pack_source(const EngineSource& source, const float* memory, Place& place);
  void free_places();
  void plan_layers();
  void run_layers(std::span<const int32_t> tokens);
  void run_layer(size_t layer);
  void scan_pieces(int64_t piece_begin, int64_t piece_end, int thread,
                   std::span<const std::vector<int32_t>> banned);

  CpuEngine& engine_;
  std::deque<Waiting> queue_;
  int64_t slots_ = 1;  // the most experts that a source's route has in a layer
  std::vector<Place> places_;
  KeyValueCache cache_;
  DecodingRows rows_;             // a row's source is the number of its place
  std::vector<LayerPlan> plans_;  // [decoder_layers]
  std::vector<DecoderRow> decoder_rows_;
  std::vector<int32_t> positions_;
  BatchRows batch_;
  AlignedBuffer<float> logits_;
  Activations last_;                                // the last hidden states, rounded
  std::vector<AlignedBuffer<float>> pieces_;        // of each thread
  std::vector<std::vector<LogitScan>> part_scans_;  // [threads][rows]
  std::vector<LogitSum> piece_sums_;                // [rows][pieces]
};

}  // namespace trivium
