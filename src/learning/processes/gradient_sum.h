// The gradients of a step, summed over the processes that made it.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "learning/processes/processes.h"

namespace trivium::learning {

// Sums in buckets of some megabytes while the backward pass still runs: a bucket is on its way as
// soon as its gradients are whole, in an order that is the same in all processes.
class GradientSum {
 public:
  static constexpr int64_t kBucketBytes = 4 << 20;

  // Of float32 parameters on the CPU, in the order in which the model uses them. `processes` and
  // the parameters outlive it.
  GradientSum(const Processes& processes, const std::vector<torch::Tensor>& parameters,
              int64_t bucket_bytes = kBucketBytes);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  // Before the backward pass of this process's last batch of a step.
  void begin();
  // After it. Then the gradients are the sums; a parameter that no process used has none.
  void finish();

 private:
  struct Bucket {
    std::vector<size_t> parameters;
    size_t missing = 0;  // of their gradients, in this step
    torch::Tensor flat;  // the gradients one behind the other, then for each whether there is one
    PendingSum sum;
  };
  void is_whole(size_t parameter);
  void send_next();
  torch::Tensor packed(const Bucket& bucket) const;
  void unpack(Bucket& bucket);

  class Hook;
  const Processes& processes_;
  std::vector<torch::Tensor> parameters_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;  // of each parameter
  size_t next_ = 0;                // the bucket to be sent next
  bool is_begun_ = false;
};

}  // namespace trivium::learning
