// The processes that train one model together, over LibTorch's c10d with Gloo.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "learning/processes/launch.h"

namespace trivium::learning {

// A sum on its way.
class PendingSum {
 public:
  // Waits until the tensor that was given has the sum. Error as Processes'.
  void wait();

 private:
  friend class Processes;
  struct Work;
  std::shared_ptr<Work> work_;  // null: there is nothing to wait for
};

// Every process calls the same functions in the same order, with tensors of the same shape and type
// (float32, float64 or int64, on the CPU, contiguous). Alone, all of them do nothing. Error
// kUnavailable where another process has ended.
class Processes {
 public:
  // One process alone.
  Processes() = default;
  // Process `launch.rank`. Waits until all are there; Error kUnavailable when they do not come.
  explicit Processes(const Launch& launch);

  int rank() const { return rank_; }
  int size() const { return size_; }
  // The one that writes files and speaks to people.
  bool is_first() const { return rank_ == 0; }

  // The sum over all processes, in place: the same bytes in each.
  void sum(torch::Tensor& tensor) const;
  PendingSum begin_sum(torch::Tensor& tensor) const;
  // Whether it is so in any of them.
  bool any(bool is_so) const;
  // What process `from` has, in all.
  void share(torch::Tensor& tensor, int from) const;
  // What process `from` has, in the first. The others do nothing.
  void send_to_first(torch::Tensor& tensor, int from) const;

 private:
  struct Group;
  int rank_ = 0, size_ = 1;
  std::shared_ptr<Group> group_;
};

}  // namespace trivium::learning
