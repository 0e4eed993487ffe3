// Cached decoding on a CUDA device, where every row follows its own route: one CUDA graph a step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/cuda/cuda_engine.h"
#include "core/engine/decoding_rows.h"
#include "core/generation/step_decoder.h"
#include "core/kernels/vocabulary_scan.h"

namespace trivium {

class CudaDecoder : public StepDecoder {
 public:
  // As CpuDecoder.
  CudaDecoder(CudaEngine& engine, std::span<const EngineSource> sources, int64_t positions);

  int64_t vocab_size() const override { return engine_.config().vocab_size; }
  int64_t rows() const override { return rows_.size(); }
  // Error kUsage beyond the model's positions; kUnavailable where the device fails.
  std::span<const float> step(std::span<const int32_t> tokens) override;
  // Copies nothing but the best tokens from the device.
  std::span<const LogitScan> step_scan(std::span<const int32_t> tokens, int count,
                                       std::span<const std::vector<int32_t>> banned) override;
  void select_rows(std::span<const int32_t> parents) override;

  // How many graphs were recorded so far: one for the first step, and one whenever the rows' number
  // or the experts' shares of them have changed, or memory had to grow.
  int64_t recordings() const { return recordings_; }

 private:
  struct Source {
    std::vector<std::vector<ActiveExpert>> route;     // [decoder_layers]
    std::vector<std::vector<int32_t>> memory_begins;  // [decoder_layers][experts of its route]
    int32_t len = 0;
    int32_t gates = 0;  // the row of its token gates
  };
  // What a step reads that is new each time, int32 of pinned memory and of the device in the same
  // layout: tokens, positions, lengths [rows each], cells [rows, cells_stride], the beginnings of
  // the rows' bans [rows + 1] and the banned tokens.
  struct Inputs {
    int64_t rows = 0, cells_stride = 0, banned = 0;  // what there is room for
    cuda::PinnedMemory host;
    cuda::DeviceMemory device;

    int64_t positions() const { return rows; }
    int64_t lengths() const { return 2 * rows; }
    int64_t cells() const { return 3 * rows; }
    int64_t ban_begins() const { return cells() + rows * cells_stride; }
    int64_t bans() const { return ban_begins() + rows + 1; }
    size_t bytes() const { return static_cast<size_t>(bans() + banned) * sizeof(int32_t); }
  };

  void compute_memory(std::span<const EngineSource> sources);
  void add_cells(std::span<const int32_t> tokens);
  void grow_cache(int64_t cells);
  void plan_layers();
  void fill_inputs(std::span<const int32_t> tokens, std::span<const std::vector<int32_t>> banned);
  void reserve_outputs(int count);
  void run(std::span<const int32_t> tokens, int count,
           std::span<const std::vector<int32_t>> banned);
  void queue(int count);
  void queue_scan(int count);
  std::vector<int64_t> recording_key(int count) const;

  CudaEngine& engine_;
  ComputeType type_;
  int64_t slots_ = 1;  // the most experts that a source's route has in a layer
  std::vector<Source> sources_;
  std::vector<cuda::DeviceMemory> cross_;  // [decoder_layers]: CudaCache::cross
  int64_t cells_ = 0;                      // that self_ has room for
  cuda::DeviceMemory self_;                // [decoder_layers, slots, cells, 2 * d_model]
  DecodingRows rows_;                      // a row's source is its number in sources_
  bool plans_are_stale_ = true;
  DeviceArena plan_arena_;
  std::vector<CudaPlan> plans_;  // [decoder_layers]
  CudaScratch scratch_;
  Inputs inputs_;
  cuda::DeviceMemory hidden_, device_logits_, device_sums_, device_best_, scan_scratch_;
  cuda::PinnedMemory logits_, sums_, best_;
  cuda::Graph graph_;
  std::vector<int64_t> recorded_;  // the key of graph_
  int64_t recordings_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace trivium
