#include "core/generation/logit_scan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

constexpr size_t kLanes = 16;  // independent sums, so that the compiler may use vector registers
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

float max_of(std::span<const float> values) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, kMinusInfinity);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) {
      lanes[l] = values[i + l] > lanes[l] ? values[i + l] : lanes[l];
    }
  }
  for (; i < values.size(); ++i) lanes[0] = std::max(lanes[0], values[i]);
  return *std::max_element(lanes, lanes + kLanes);
}

// 0 where all are minus infinity.
double sum_of_exp(std::span<const float> values, float max) {
  if (max == kMinusInfinity) {
    return std::any_of(values.begin(), values.end(), [](float value) { return std::isnan(value); })
               ? std::numeric_limits<double>::quiet_NaN()
               : 0;
  }
  float lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) lanes[l] += exp_of_nonpositive(values[i + l] - max);
  }
  for (; i < values.size(); ++i) lanes[0] += exp_of_nonpositive(values[i] - max);
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

void LogitSum::add(const LogitSum& other) {
  const float largest = std::max(max, other.max);
  if (largest > kMinusInfinity) {
    sum = sum * std::exp(static_cast<double>(max) - largest) +
          other.sum * std::exp(static_cast<double>(other.max) - largest);
  } else {
    sum += other.sum;
  }
  max = largest;
}

void LogitScan::read(std::span<const float> logits, std::span<const int32_t> banned) {
  begin(static_cast<int>(count_));
  const LogitSum sum = add(logits, 0, banned);
  finish({&sum, 1});
}

void LogitScan::begin(int count) {
  count_ = static_cast<size_t>(count);
  best_.clear();
  best_.reserve(count_);
}

LogitSum LogitScan::add(std::span<const float> logits, int32_t first_token,
                        std::span<const int32_t> banned) {
  LogitSum total;
  for (size_t begin = 0; begin < logits.size(); begin += kScanPiece) {
    const std::span<const float> piece =
        logits.subspan(begin, std::min(kScanPiece, logits.size() - begin));
    const float piece_max = max_of(piece);
    total.add({piece_max, sum_of_exp(piece, piece_max)});
    // Most pieces have nothing better than what is kept; an equal logit may be a lower token.
    if (best_.size() < count_ || (count_ > 0 && piece_max >= best_.front().logit)) {
      add_candidates(piece, first_token + static_cast<int32_t>(begin), banned);
    }
  }
  return total;
}

void LogitScan::merge(const LogitScan& other) {
  for (const Candidate& candidate : other.best_) add_candidate(candidate);
}

void LogitScan::assign(std::span<const Candidate> best, float max, double sum) {
  count_ = best.size();
  best_.assign(best.begin(), best.end());
  // A list in order, worst in front, is the heap that finish() sorts.
  std::reverse(best_.begin(), best_.end());
  const LogitSum all = {max, sum};
  finish({&all, 1});
}

void LogitScan::finish(std::span<const LogitSum> sums) {
  sum_ = {};
  for (const LogitSum& sum : sums) sum_.add(sum);
  if (!std::isfinite(sum_.sum) || !std::isfinite(sum_.max)) {
    throw Error(
        ExitCode::kBadModel,
        "the model's logits are not finite numbers: its weights are damaged or its training "
        "diverged");
  }
  log_sum_ = static_cast<float>(std::log(sum_.sum));
  std::sort_heap(best_.begin(), best_.end(), is_better);
}

void LogitScan::add_candidates(std::span<const float> block, int32_t first_token,
                               std::span<const int32_t> banned) {
  for (size_t i = 0; i < block.size(); ++i) {
    const float threshold = best_.size() < count_ ? kMinusInfinity : best_.front().logit;
    if (block[i] < threshold || block[i] == kMinusInfinity) continue;
    const int32_t token = first_token + static_cast<int32_t>(i);
    if (std::binary_search(banned.begin(), banned.end(), token)) continue;
    add_candidate({block[i], token});
  }
}

void LogitScan::add_candidate(const Candidate& candidate) {
  if (count_ == 0) return;
  if (best_.size() == count_) {
    if (!is_better(candidate, best_.front())) return;
    std::pop_heap(best_.begin(), best_.end(), is_better);
    best_.pop_back();
  }
  best_.push_back(candidate);
  std::push_heap(best_.begin(), best_.end(), is_better);
}

}  // namespace trivium
