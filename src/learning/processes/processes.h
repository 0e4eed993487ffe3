// The processes that train one model or answer one file together, over LibTorch's c10d with Gloo.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/launch.h"

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
// (float32, float64, int64 or uint8, on the CPU, contiguous). Alone, all of them do nothing. Error
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
  // The largest over all processes of each number, in place.
  void largest(torch::Tensor& numbers) const;
  // Whether it is so in any of them.
  bool any(bool is_so) const;
  // What process `from` has, in all.
  void share(torch::Tensor& tensor, int from) const;
  // What process `from` has, in the first. The others do nothing.
  void send_to_first(torch::Tensor& tensor, int from) const;
  // rows: [n, width], of which the first sent[0] go to process 0, the next sent[1] to process 1,
  // and so on. Returns what comes from process 0, received[0] rows, from process 1, and so on; of
  // any type, of as many columns in all processes.
  torch::Tensor exchange(const torch::Tensor& rows, const std::vector<int64_t>& sent,
                         const std::vector<int64_t>& received) const;
  // The same processes with connections of their own: what they do there needs no order with what
  // they do here. All call it, with a name for each branch.
  Processes branch(const std::string& name) const;
  // The text of each process, by rank, in the first; nothing in the others.
  std::vector<std::string> gather(const std::string& text) const;
  // The first's text, in all.
  std::string share(const std::string& of_first) const;

 private:
  struct Group;
  int rank_ = 0, size_ = 1;
  std::shared_ptr<Group> group_;
};

}  // namespace trivium::learning
