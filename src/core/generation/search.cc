#include "core/generation/search.h"

#include <cmath>
#include <memory>
#include <string>

#include "core/base/error.h"
#include "core/generation/continuous_search.h"

namespace trivium {
namespace {

void require(bool condition, const std::string& message) {
  if (!condition) throw Error(ExitCode::kUsage, message);
}

void require_token(int32_t id, int64_t vocab_size, const char* name) {
  require(id >= 0 && id < vocab_size, std::string(name) + " is " + std::to_string(id) +
                                          ", outside the vocabulary of " +
                                          std::to_string(vocab_size) + " tokens");
}

}  // namespace

void check_search_options(const SearchOptions& options, int64_t vocab_size) {
  require(options.num_beams >= 1, "num_beams must be at least 1");
  // Beam search looks at 2 * num_beams continuations of a beam.
  require(
      options.num_beams == 1 || 2 * int64_t{options.num_beams} <= vocab_size,
      "num_beams must be at most half the vocabulary of " + std::to_string(vocab_size) + " tokens");
  require(options.n_best >= 1 && options.n_best <= options.num_beams,
          "the n best answers are at most as many as beams: " + std::to_string(options.n_best) +
              " of " + std::to_string(options.num_beams) + "; raise num_beams, or lower n");
  require(options.max_length >= 2, "max_length must be at least 2: it counts the start token");
  require(options.min_length >= 0, "min_length must be 0 (off) or more");
  require(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
          "repetition_penalty must be more than 0; 1: off");
  for (const auto& word : options.bad_words) {
    require(!word.empty(), "a sequence of bad_words_ids is empty");
    for (const int32_t id : word) require_token(id, vocab_size, "a token of bad_words_ids");
  }
  for (const int32_t id : options.suppressed) require_token(id, vocab_size, "a suppressed token");
  for (const int32_t id : options.suppressed_first) {
    require_token(id, vocab_size, "a suppressed token");
  }
  require(std::isfinite(options.length_penalty), "length_penalty must be a finite number");
  require(options.no_repeat_ngram_size >= 0, "no_repeat_ngram_size must be 0 (off) or more");
  require_token(options.start_id, vocab_size, "the start token");
  require_token(options.eos_id, vocab_size, "the end token");
  if (options.forced_bos_id != -1) {
    require_token(options.forced_bos_id, vocab_size, "forced_bos_token_id");
  }
  if (options.forced_eos_id != -1) {
    require_token(options.forced_eos_id, vocab_size, "forced_eos_token_id");
  }
  for (const int32_t id : options.prefix) require_token(id, vocab_size, "a token of the prefix");
  require(static_cast<int64_t>(options.prefix.size()) + 1 < options.max_length,
          "the prefix has " + std::to_string(options.prefix.size()) +
              " tokens, and max_length leaves room for " + std::to_string(options.max_length - 2) +
              " with one after them; shorten it, or raise max_length");
  require(!options.sample || options.num_beams == 1,
          "sampling and beam search exclude each other: set num_beams to 1 to sample");
  require(options.temperature > 0 && std::isfinite(options.temperature),
          "temperature must be more than 0; for the most probable token, do not sample");
  require(options.top_k >= 0, "top_k must be 0 (off) or more");
  require(options.top_p > 0 && options.top_p <= 1, "top_p must be more than 0 and at most 1");
  require(
      options.alternatives >= 0 && options.alternatives <= vocab_size,
      "the alternatives to a token are from 0 to the vocabulary's " + std::to_string(vocab_size));
}

void search(StepDecoder& decoder, const SearchOptions& options, const HypothesisCallback& on_end,
            const TokenCallback& on_token) {
  const auto shared = std::make_shared<const SearchOptions>(options);
  const int64_t sources = decoder.rows() + decoder.waiting();
  ContinuousSearch search(decoder);
  for (int64_t source = 0; source < sources; ++source) {
    search.add(shared, static_cast<uint64_t>(source), on_end, on_token);
  }
  while (search.step()) {
  }
}

std::vector<Hypothesis> search(StepDecoder& decoder, const SearchOptions& options,
                               const TokenCallback& on_token) {
  std::vector<Hypothesis> results(static_cast<size_t>(decoder.rows() + decoder.waiting()));
  const auto on_end = [&](int64_t source, Hypothesis hypothesis) {
    results[static_cast<size_t>(source)] = std::move(hypothesis);
  };
  search(decoder, options, on_end, on_token);
  return results;
}

}  // namespace trivium
