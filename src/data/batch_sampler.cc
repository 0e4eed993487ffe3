#include "data/batch_sampler.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/json.h"

namespace trivium {
namespace {

// Long enough that batches are of one length nearly, short enough that a window mixes like the
// epoch.
constexpr size_t kWindow = 8192;

}  // namespace

BatchSampler::BatchSampler(std::vector<SampleItem> items, const SamplerOptions& options,
                           uint64_t seed)
    : items_(std::move(items)), options_(options), rng_(seed) {
  if (items_.empty()) throw Error(ExitCode::kBadData, "there is no example to sample from");
  start_epoch();
}

std::vector<size_t> BatchSampler::draw_epoch() {
  std::map<int64_t, std::vector<size_t>> by_task;
  for (size_t i = 0; i < items_.size(); ++i) by_task[items_[i].task].push_back(i);
  size_t largest = 0;
  for (const auto& [task, members] : by_task) largest = std::max(largest, members.size());
  std::vector<size_t> epoch;
  for (auto& [task, members] : by_task) {
    const double share = std::pow(
        static_cast<double>(members.size()) / static_cast<double>(largest), options_.share_alpha);
    // At most 1e-9 under a whole number is rounding, not a missing example.
    const auto wanted = static_cast<size_t>(std::ceil(share * static_cast<double>(largest) - 1e-9));
    for (size_t left = wanted; left > 0;) {
      rng_.shuffle(members);
      const size_t take = std::min(left, members.size());
      epoch.insert(epoch.end(), members.begin(), members.begin() + static_cast<int64_t>(take));
      left -= take;
    }
  }
  rng_.shuffle(epoch);
  return epoch;
}

void BatchSampler::cut_batches(std::vector<size_t> window) {
  std::stable_sort(window.begin(), window.end(), [&](size_t a, size_t b) {
    return items_[a].source_length < items_[b].source_length;
  });
  std::vector<size_t> batch;
  for (size_t index : window) {
    // Ascending lengths: the new example is the longest of its batch.
    const auto rows = static_cast<int64_t>(batch.size()) + 1;
    if (!batch.empty() && rows * items_[index].source_length > options_.batch_tokens) {
      batches_.push_back(std::move(batch));
      batch.clear();
    }
    batch.push_back(index);
  }
  if (!batch.empty()) batches_.push_back(std::move(batch));
}

void BatchSampler::start_epoch() {
  epoch_rng_ = rng_.state();
  ++epoch_;
  batches_.clear();
  position_ = 0;
  std::vector<size_t> epoch = draw_epoch();
  if (options_.batching == Batching::kHomogeneous) {
    std::map<int64_t, std::vector<size_t>> by_task;
    for (size_t index : epoch) by_task[items_[index].task].push_back(index);
    for (auto& [task, members] : by_task) cut_batches(std::move(members));
  } else {
    for (size_t begin = 0; begin < epoch.size(); begin += kWindow) {
      const size_t end = std::min(epoch.size(), begin + kWindow);
      cut_batches(
          {epoch.begin() + static_cast<int64_t>(begin), epoch.begin() + static_cast<int64_t>(end)});
    }
  }
  rng_.shuffle(batches_);
}

const std::vector<size_t>& BatchSampler::next_batch() {
  if (position_ == batches_.size()) start_epoch();
  return batches_[position_++];
}

std::string BatchSampler::state() const {
  return to_json_line({{"epoch", epoch_}, {"position", position_}, {"rng", epoch_rng_}});
}

void BatchSampler::set_state(const std::string& state) {
  const Json json = parse_json(state, "sampler state");
  rng_.set_state(json_get<std::string>(json, "rng", "sampler state"));
  epoch_ = json_get<int64_t>(json, "epoch", "sampler state") - 1;
  start_epoch();
  position_ = json_get<size_t>(json, "position", "sampler state");
  if (position_ > batches_.size()) {
    throw Error(ExitCode::kBadModel,
                "the snapshot lies past the end of an epoch: the training data have changed");
  }
}

}  // namespace trivium
