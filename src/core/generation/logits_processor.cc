#include "core/generation/logits_processor.h"

#include <algorithm>

namespace trivium {

void LogitsProcessor::process(std::span<const int32_t> ids) {
  const auto length = static_cast<int>(ids.size());
  forced_ = -1;
  banned_.clear();
  if (length == 1) forced_ = options_.forced_bos_id;
  const auto written = ids.size() - 1;
  if (written < options_.prefix.size()) forced_ = options_.prefix[written];
  if (length == options_.max_length - 1 && options_.forced_eos_id >= 0) {
    forced_ = options_.forced_eos_id;
  }
  if (forced_ >= 0) return;
  if (options_.no_repeat_ngram_size > 0) ban_repeated_ngrams(ids);
  ban_words(ids);
  if (length < options_.min_length) banned_.push_back(options_.eos_id);
  banned_.insert(banned_.end(), options_.suppressed.begin(), options_.suppressed.end());
  const int first = options_.forced_bos_id < 0 ? 1 : 2;
  if (length == first) {
    banned_.insert(banned_.end(), options_.suppressed_first.begin(),
                   options_.suppressed_first.end());
  }
  std::sort(banned_.begin(), banned_.end());
}

// A word's last token, where those before it are there. The start token takes part.
void LogitsProcessor::ban_words(std::span<const int32_t> ids) {
  for (const std::vector<int32_t>& word : options_.bad_words) {
    const size_t before = word.size() - 1;
    if (before > 0 && (word.size() > ids.size() ||
                       !std::equal(word.begin(), word.end() - 1, ids.last(before).begin()))) {
      continue;
    }
    banned_.push_back(word.back());
  }
}

void LogitsProcessor::penalize(std::span<const int32_t> ids, std::span<float> scores) {
  const auto penalty = static_cast<float>(options_.repetition_penalty);
  distinct_.assign(ids.begin(), ids.end());
  std::sort(distinct_.begin(), distinct_.end());
  distinct_.erase(std::unique(distinct_.begin(), distinct_.end()), distinct_.end());
  for (const int32_t id : distinct_) {
    float& score = scores[static_cast<size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
}

// The start token takes part, as in transformers; with n = 1 it is itself banned.
void LogitsProcessor::ban_repeated_ngrams(std::span<const int32_t> ids) {
  const auto context_size = static_cast<size_t>(options_.no_repeat_ngram_size - 1);
  if (ids.size() < context_size) return;
  const std::span<const int32_t> context = ids.last(context_size);
  for (size_t i = 0; i + context_size < ids.size(); ++i) {
    if (std::equal(context.begin(), context.end(), ids.begin() + static_cast<ptrdiff_t>(i))) {
      banned_.push_back(ids[i + context_size]);
    }
  }
}

}  // namespace trivium
