// Experts that several processes share: each keeps a part of every pool, and the rows that an
// expert computes travel to the process that has it and back (all-to-all; GShard, Lepikhin et al.
// 2021, section 3.2).
#pragma once

#include <torch/torch.h>

#include <functional>
#include <vector>

#include "learning/model/routing.h"
#include "learning/processes/processes.h"

namespace trivium::learning {

// A parameter of an expert.
struct ExpertParameter {
  torch::Tensor value;
  int64_t expert = 0, count = 1;  // which of how many experts of its pool
};

// Every process calls its functions in the same order.
class ExpertShards {
 public:
  // Over connections that nothing else uses (Processes::branch).
  explicit ExpertShards(Processes processes) : processes_(std::move(processes)) {}

  // The process that has expert `expert` of a pool of `count`: neighbours are together.
  static int owner(int64_t expert, int64_t count, int processes) {
    return static_cast<int>(expert * processes / count);
  }
  int owner(int64_t expert, int64_t count) const { return owner(expert, count, processes_.size()); }
  bool is_own(const ExpertParameter& parameter) const {
    return owner(parameter.expert, parameter.count) == processes_.rank();
  }

  // What an expert makes of its rows: [n, in] -> [n, out].
  using Run = std::function<torch::Tensor(int64_t expert, const torch::Tensor& rows)>;
  // rows: [n, in], of which the first counts[0] are for expert 0, the next counts[1] for expert 1,
  // and so on. Returns [n, out], in the same order and type, of which `run` made each row in the
  // process that has its expert; it is called there for each expert that has rows. out <= in.
  torch::Tensor run(const torch::Tensor& rows, const std::vector<int64_t>& counts, int64_t out,
                    const Run& run) const;

  // The largest over all processes of each number.
  std::vector<int64_t> largest(std::vector<int64_t> numbers) const;

  // Weights of other processes' experts take no memory.
  void release(const std::vector<ExpertParameter>& parameters) const;
  // Makes room for all weights; those of other processes' experts are not filled.
  void allocate(const std::vector<ExpertParameter>& parameters) const;
  // Makes all weights whole in the first process, or in all.
  void gather(const std::vector<ExpertParameter>& parameters) const;
  void gather_everywhere(const std::vector<ExpertParameter>& parameters) const;

 private:
  Processes processes_;
};

// What a whole layer computes from.
struct LayerInput {
  torch::Tensor hidden;  // [batch, len, d_model]
  torch::Tensor memory;  // [batch, src_len, d_model], of a decoder's layer; else undefined
  torch::Tensor mask;    // bool [batch, 1, 1, src_len]
};

// mix_experts where each process has a part of the pool; run(e, rows) computes one of its own
// experts on rows of any process's batch, [n, len, d_model].
torch::Tensor mix_sharded_experts(
    const ExpertShards& shards, const LayerPlan& plan, const LayerInput& input,
    const std::function<torch::Tensor(int64_t expert, const LayerInput& rows)>& run);

}  // namespace trivium::learning
