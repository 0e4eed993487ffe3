#include "core/generation/logits_processor.h"

#include <algorithm>

namespace trivium {

void LogitsProcessor::process(std::span<const int32_t> ids) {
  const auto length = static_cast<int>(ids.size());
  forced_ = -1;
  banned_.clear();
  if (length == 1) forced_ = options_.forced_bos_id;
  if (length == options_.max_length - 1 && options_.forced_eos_id >= 0) {
    forced_ = options_.forced_eos_id;
  }
  if (forced_ >= 0) return;
  if (options_.no_repeat_ngram_size > 0) ban_repeated_ngrams(ids);
  if (length < options_.min_length) banned_.push_back(options_.eos_id);
  std::sort(banned_.begin(), banned_.end());
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
