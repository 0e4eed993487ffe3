#include "learning/examples/batch_sampler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium::learning {
namespace {

constexpr const char* kStateName = "the sampler's saved state";

// By source length; but long targets last, among themselves: most targets are a label of a few
// tokens, and one long target a batch would fill every batch with padding.
std::tuple<bool, int64_t, int64_t> sort_key(const SampleItem& item) {
  constexpr int64_t kLongTarget = 12;
  return {item.target > kLongTarget, item.source, item.target};
}

}  // namespace

BatchSampler::BatchSampler(std::vector<SampleItem> items, const SamplerOptions& options,
                           uint64_t seed)
    : items_(std::move(items)), options_(options), rng_(seed) {
  if (items_.empty()) throw Error(ExitCode::kBadData, "there is no example to sample from");
  check(options_.batch_tokens > 0 && options_.max_examples > 0, "a batch must hold something");
  check(options_.window_batches >= options_.batches_per_step && options_.batches_per_step > 0,
        "a window has a step's batches");
  std::map<int64_t, std::vector<size_t>> by_task;
  for (size_t i = 0; i < items_.size(); ++i) by_task[items_[i].task].push_back(i);
  for (auto& [task, members] : by_task) by_task_.push_back(std::move(members));
  plan_epoch();
}

void BatchSampler::plan_epoch() {
  epoch_state_ = rng_.state();
  batches_.clear();
  if (options_.batching == Batching::kHeterogeneous) {
    plan_heterogeneous();
  } else {
    plan_homogeneous();
  }
  if (options_.batching == Batching::kHomogeneous ||
      options_.window_batches > options_.batches_per_step) {
    rng_.shuffle(batches_);
  }
  size_t examples = 0;
  for (const std::vector<size_t>& batch : batches_) examples += batch.size();
  mean_batch_size_ = static_cast<double>(examples) / static_cast<double>(batches_.size());
}

std::vector<size_t> BatchSampler::next_batch() {
  std::vector<size_t> batch = batches_[position_++];
  if (position_ == batches_.size()) {
    plan_epoch();
    position_ = 0;
    ++epoch_;
  }
  return batch;
}

double BatchSampler::padding_share() const {
  int64_t padded = 0, real = 0;
  for (const std::vector<size_t>& batch : batches_) {
    int64_t source = 0, target = 0;
    for (const size_t i : batch) {
      source = std::max(source, items_[i].source);
      target = std::max(target, items_[i].target);
      real += items_[i].source + items_[i].target;
    }
    padded += static_cast<int64_t>(batch.size()) * (source + target);
  }
  return 1 - static_cast<double>(real) / static_cast<double>(padded);
}

void BatchSampler::plan_heterogeneous() {
  std::vector<size_t> order = draw_epoch();
  rng_.shuffle(order);
  const bool whole_steps = options_.window_batches == options_.batches_per_step;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    end = whole_steps ? step_end(order, begin) : window_end(order, begin);
    sort_by_length(order, begin, end);
    const size_t first = batches_.size();
    cut_into_batches(order, begin, end);
    if (whole_steps) split_batches(first, static_cast<size_t>(options_.batches_per_step));
  }
}

void BatchSampler::sort_by_length(std::vector<size_t>& order, size_t begin, size_t end) const {
  std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(begin),
                   order.begin() + static_cast<std::ptrdiff_t>(end), [this](size_t a, size_t b) {
                     return sort_key(items_[a]) < sort_key(items_[b]);
                   });
}

// Where the examples of a step that begins at `begin` end: as many as its batches take, padding
// included.
size_t BatchSampler::step_end(const std::vector<size_t>& order, size_t begin) const {
  size_t count = window_end(order, begin) - begin;
  for (;; count -= std::max<size_t>(1, count / 32)) {
    std::vector<size_t> step(order.begin() + static_cast<std::ptrdiff_t>(begin),
                             order.begin() + static_cast<std::ptrdiff_t>(begin + count));
    sort_by_length(step, 0, count);
    int64_t batches = 0;
    for (size_t at = 0; at < count; at += batch_size(step, at, count)) ++batches;
    if (count == 1 || batches <= options_.batches_per_step) return begin + count;
  }
}

// Halves the largest batches from `first` on until there are `count` of them, so that the next step
// begins with the next draw; not where there are too few examples.
void BatchSampler::split_batches(size_t first, size_t count) {
  while (batches_.size() - first < count) {
    const auto largest =
        std::max_element(batches_.begin() + static_cast<std::ptrdiff_t>(first), batches_.end(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    if (largest->size() < 2) return;
    const auto middle = largest->begin() + static_cast<std::ptrdiff_t>(largest->size() / 2);
    std::vector<size_t> second(middle, largest->end());
    largest->erase(middle, largest->end());
    batches_.push_back(std::move(second));
  }
}

void BatchSampler::plan_homogeneous() {
  for (std::vector<size_t> members : by_task_) {
    rng_.shuffle(members);
    members.resize(batch_size(members, 0, members.size()));
    batches_.push_back(std::move(members));
  }
}

// The examples of an epoch: every one once, or each task's share of as many.
std::vector<size_t> BatchSampler::draw_epoch() {
  std::vector<size_t> drawn;
  if (options_.share_alpha == 1.0) {
    drawn.resize(items_.size());
    std::iota(drawn.begin(), drawn.end(), size_t{0});
    return drawn;
  }
  double total = 0;
  for (const auto& members : by_task_) {
    total += std::pow(static_cast<double>(members.size()), options_.share_alpha);
  }
  for (std::vector<size_t> members : by_task_) {
    const double weight = std::pow(static_cast<double>(members.size()), options_.share_alpha);
    const double wanted = std::round(weight / total * static_cast<double>(items_.size()));
    size_t left = std::max<size_t>(1, static_cast<size_t>(wanted));
    for (; left >= members.size(); left -= members.size()) {
      drawn.insert(drawn.end(), members.begin(), members.end());
    }
    rng_.shuffle(members);
    drawn.insert(drawn.end(), members.begin(), members.begin() + static_cast<std::ptrdiff_t>(left));
  }
  return drawn;
}

// Where a window that begins at `begin` ends.
size_t BatchSampler::window_end(const std::vector<size_t>& order, size_t begin) const {
  int64_t tokens = 0;
  size_t end = begin;
  const auto max_examples = static_cast<size_t>(options_.window_batches * options_.max_examples);
  while (end < order.size() && end - begin < max_examples &&
         tokens < options_.window_batches * options_.batch_tokens) {
    tokens += items_[order[end]].source + items_[order[end]].target;
    ++end;
  }
  return end;
}

void BatchSampler::cut_into_batches(const std::vector<size_t>& order, size_t begin, size_t end) {
  for (size_t size; begin < end; begin += size) {
    size = batch_size(order, begin, end);
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
    batches_.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
  }
}

size_t BatchSampler::batch_size(const std::vector<size_t>& order, size_t begin, size_t end) const {
  int64_t source = 0, target = 0, count = 0;
  for (size_t i = begin; i < end && count < options_.max_examples; ++i, ++count) {
    source = std::max(source, items_[order[i]].source);
    target = std::max(target, items_[order[i]].target);
    if (count > 0 && (count + 1) * (source + target) > options_.batch_tokens) break;
  }
  return static_cast<size_t>(count);
}

Json BatchSampler::state() const {
  return {{"examples", items_.size()},
          {"epoch", epoch_},
          {"position", position_},
          {"rng", epoch_state_}};
}

void BatchSampler::set_state(const Json& json) {
  try {
    const auto examples = json_get<size_t>(json, "examples", kStateName);
    if (examples != items_.size()) {
      throw Error(ExitCode::kBadModel,
                  std::string(kStateName) + " is of " + std::to_string(examples) +
                      " examples; the data now has " + std::to_string(items_.size()));
    }
    rng_.set_state(json_get<std::string>(json, "rng", kStateName));
    epoch_ = json_get<int64_t>(json, "epoch", kStateName);
    position_ = json_get<size_t>(json, "position", kStateName);
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
  plan_epoch();
  if (position_ >= batches_.size() || epoch_ < 0) {
    throw Error(ExitCode::kBadModel, std::string(kStateName) + " stands past the end of its epoch");
  }
}

}  // namespace trivium::learning
