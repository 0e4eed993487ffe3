#include "learning/training/denoising_stream.h"

#include <algorithm>
#include <cctype>
#include <numeric>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace trivium::learning {
namespace {

constexpr size_t kMinTokens = 8;

size_t token_count(const std::vector<std::vector<int32_t>>& sentences) {
  size_t count = 0;
  for (const auto& sentence : sentences) count += sentence.size();
  return count;
}

}  // namespace

std::vector<std::string> split_sentences(const std::string& paragraph) {
  std::vector<std::string> sentences;
  size_t begin = 0;
  for (size_t i = 0; i + 1 < paragraph.size(); ++i) {
    const char c = paragraph[i];
    if ((c == '.' || c == '!' || c == '?') &&
        std::isspace(static_cast<unsigned char>(paragraph[i + 1]))) {
      sentences.emplace_back(trim(std::string_view(paragraph).substr(begin, i + 1 - begin)));
      begin = i + 1;
    }
  }
  const std::string_view rest = trim(std::string_view(paragraph).substr(begin));
  if (!rest.empty()) sentences.emplace_back(rest);
  return sentences;
}

std::vector<int32_t> infill_text(const std::vector<int32_t>& tokens, int32_t mask_id,
                                 const DenoisingOptions& options, Rng& rng) {
  const size_t length = tokens.size();
  const auto budget = static_cast<size_t>(options.mask_ratio * static_cast<double>(length) + 0.5);
  std::vector<bool> masked(length, false), insert_before(length + 1, false);
  size_t done = 0;
  // Each try either masks at least one token or inserts a mask; the bound stops a run of zeros.
  for (size_t tries = 0; done < budget && tries < 4 * length; ++tries) {
    const auto span = static_cast<size_t>(rng.poisson(options.span_mean));
    const size_t begin = rng.below(length);
    if (span == 0) {
      insert_before[begin] = true;
      continue;
    }
    for (size_t i = begin; i < std::min(length, begin + span) && done < budget; ++i) {
      if (!masked[i]) ++done;
      masked[i] = true;
    }
  }
  std::vector<int32_t> noisy;
  for (size_t i = 0; i < length; ++i) {
    if (insert_before[i] && !masked[i]) noisy.push_back(mask_id);
    if (!masked[i]) {
      noisy.push_back(tokens[i]);
    } else if (i == 0 || !masked[i - 1]) {
      noisy.push_back(mask_id);
    }
  }
  return noisy;
}

DenoisingStream::DenoisingStream(const std::vector<std::string>& paragraphs,
                                 const Tokenizer& tokenizer, const DenoisingOptions& options,
                                 uint64_t seed)
    : special_(tokenizer.special()), options_(options), rng_(seed) {
  if (special_.mask < 0) {
    throw Error(ExitCode::kBadModel, "denoising needs a tokenizer with a mask token");
  }
  tokenizer.refuse_without_row({special_.mask});
  for (const std::string& paragraph : paragraphs) {
    Sentences sentences;
    for (const std::string& sentence : split_sentences(paragraph)) {
      sentences.push_back(tokenizer.encode(sentence));
      tokenizer.refuse_without_row(sentences.back());
    }
    if (token_count(sentences) >= kMinTokens) paragraphs_.push_back(std::move(sentences));
  }
  if (paragraphs_.empty()) {
    throw Error(ExitCode::kBadData, "the text has no paragraph of at least 8 tokens");
  }
  double tokens = 0;
  for (const Sentences& paragraph : paragraphs_) {
    tokens += static_cast<double>(
        std::min(token_count(paragraph) + 2, static_cast<size_t>(options_.max_length)));
  }
  mean_batch_size_ =
      std::max(1.0, static_cast<double>(options_.batch_tokens * paragraphs_.size()) / tokens);
  start_epoch();
}

void DenoisingStream::start_epoch() {
  epoch_state_ = rng_.state();
  order_.resize(paragraphs_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  rng_.shuffle(order_);
  position_ = 0;
}

EncodedExample DenoisingStream::corrupt(const Sentences& paragraph) {
  const auto room = static_cast<size_t>(options_.max_length) - 2;
  EncodedExample example;
  // Whole sentences first, so that the source has the same tokens as the target.
  Sentences kept;
  for (const auto& sentence : paragraph) {
    const size_t left = room - example.target.size();
    if (left == 0) break;
    kept.emplace_back(sentence.begin(),
                      sentence.begin() + static_cast<int64_t>(std::min(left, sentence.size())));
    example.target.insert(example.target.end(), kept.back().begin(), kept.back().end());
  }
  if (special_.bos != options_.decoder_start_id) {
    example.target.insert(example.target.begin(), special_.bos);
  }
  example.target.push_back(special_.eos);
  if (options_.permute_sentences) rng_.shuffle(kept);
  std::vector<int32_t> tokens;
  for (const auto& sentence : kept) tokens.insert(tokens.end(), sentence.begin(), sentence.end());
  const std::vector<int32_t> noisy = infill_text(tokens, special_.mask, options_, rng_);
  example.source = {special_.bos};
  example.source.insert(example.source.end(), noisy.begin(), noisy.end());
  example.source.push_back(special_.eos);
  return example;
}

std::vector<EncodedExample> DenoisingStream::next_batch() {
  std::vector<EncodedExample> batch;
  size_t longest = 0;
  for (;;) {
    if (position_ == order_.size()) {
      if (!batch.empty()) return batch;
      start_epoch();
    }
    const Sentences& paragraph = paragraphs_[order_[position_]];
    const size_t length =
        std::min(token_count(paragraph) + 2, static_cast<size_t>(options_.max_length));
    longest = std::max(longest, length);
    if (!batch.empty() &&
        longest * (batch.size() + 1) > static_cast<size_t>(options_.batch_tokens)) {
      return batch;
    }
    batch.push_back(corrupt(paragraph));
    ++position_;
  }
}

Json DenoisingStream::state() const {
  return {{"paragraphs", paragraphs_.size()},
          {"epoch", epoch_state_},
          {"position", position_},
          {"rng", rng_.state()}};
}

void DenoisingStream::set_state(const Json& json) {
  constexpr const char* kName = "the text's saved state";
  std::string epoch_state, rng_state;
  size_t position = 0, paragraphs = 0;
  try {
    epoch_state = json_get<std::string>(json, "epoch", kName);
    rng_state = json_get<std::string>(json, "rng", kName);
    position = json_get<size_t>(json, "position", kName);
    paragraphs = json_get<size_t>(json, "paragraphs", kName);
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
  if (paragraphs != paragraphs_.size() || position > order_.size()) {
    throw Error(ExitCode::kBadModel, std::string(kName) + " is of " + std::to_string(paragraphs) +
                                         " paragraphs; the data now has " +
                                         std::to_string(paragraphs_.size()));
  }
  rng_.set_state(epoch_state);
  start_epoch();
  position_ = position;
  rng_.set_state(rng_state);
}

}  // namespace trivium::learning
