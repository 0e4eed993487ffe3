// AdamW with parameter groups, the learning-rate schedule and clipping (docs/spec/parity.md,
// section 6).
#pragma once

#include <torch/torch.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "learning/processes/processes.h"
#include "learning/settings/train_settings.h"

namespace trivium::learning {

// Linear from 0 to 1 over the warm-up's share of the steps, 1 until the cool-down's share of them
// is left (or the warm-up ends, if that is later), then linear to 0; step counts from 0.
double learning_rate_factor(int64_t step, int64_t steps, double warmup_share,
                            double cooldown_share);

// The process that alone has a parameter, of those that several share (run.shard_experts); -1 for
// one that all have. Empty: all have all.
using OwnerOf = std::function<int(const torch::Tensor& parameter)>;

// Decoupled AdamW (betas 0.9 0.999, eps 1e-8) through LibTorch's fused kernel.
class AdamW {
 public:
  struct Group {
    std::string name;
    double learning_rate = 0;
    double weight_decay = 0;
    std::vector<std::string> names;
    std::vector<torch::Tensor> parameters;
  };

  // Two groups (with and without decay) for each of encoder, decoder, router and task vectors;
  // parameters that need no gradient are left out. What is of none of them (shared embeddings,
  // heads) belongs to the encoder. Each of several processes keeps the moments of a part of the
  // parameters, makes their steps and shares the weights that come of them (ZeRO's first stage);
  // a parameter that one process alone has is not shared.
  // Error kConfig when turns are asked for and one side has no parameters.
  AdamW(torch::nn::Module& model, const OptimiserSettings& settings,
        const Processes& processes = Processes(), const OwnerOf& owner_of = {});

  // Alternate updates (docs/spec/task_level.md, section 6): with train.alternate_every k > 0, only
  // the groups whose turn step `step` is ask for a gradient: router and task vectors where step / k
  // is even, the Transformer where it is odd. The others then count in no norm, and neither
  // momentum nor decay moves them (docs/spec/parity.md, A7). Call it before the forward pass.
  void take_turns(int64_t step);

  // Returns the gradients' norm over all groups. The next step() reads them clipped as the settings
  // say, in the same pass that it makes over them anyway.
  double clip_gradients();
  // One step with every group's learning rate times `factor`. Parameters with no gradient stay.
  void step(double factor);
  // Ends a step: no gradients, and all groups ask for one again.
  void zero_gradients();

  const std::vector<Group>& groups() const { return groups_; }

  // Moments and step counts by "NAME.exp_avg", "NAME.exp_avg_sq", "NAME.step". All processes call
  // it; the first has those of all, the others have their own.
  std::map<std::string, torch::Tensor> state() const;
  // Each process takes its own from the state of all. Error kBadModel when a parameter's state is
  // missing or has another shape.
  void load_state(const std::map<std::string, torch::Tensor>& state);

 private:
  struct Moments {
    torch::Tensor first, second, step;  // undefined where another process has them
    int owner = 0;
    bool is_sharded = false;  // the owner alone has the parameter
  };
  bool is_own(const Moments& moments) const { return moments.owner == processes_.rank(); }
  void share_weights();
  // Each group's norm, over what all processes have and what one of them has.
  std::vector<double> norms() const;

  OptimiserSettings settings_;
  Processes processes_;
  std::vector<Group> groups_;
  std::vector<std::vector<Moments>> moments_;  // as groups_[i].parameters
  std::vector<double> divisors_;               // of each group's gradients in the next step
};

}  // namespace trivium::learning
