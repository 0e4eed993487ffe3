// BART's denoising (Lewis et al. 2020, section 2.2): text infilling and sentence permutation.
#pragma once

#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/tokenizers/tokenizer.h"
#include "learning/training/example_stream.h"

namespace trivium::learning {

struct DenoisingOptions {
  double mask_ratio = 0.3;  // share of the tokens that are masked
  double span_mean = 3.0;   // Poisson mean of the spans' lengths
  bool permute_sentences = true;
  int64_t max_length = 64;       // ids of a paragraph with bos and eos
  int64_t batch_tokens = 4096;   // padded target tokens in a batch
  int32_t decoder_start_id = 0;  // of the model: a target that it begins with need not say it
};

// Replaces spans of `tokens` by one mask each until mask_ratio of them are masked; a span of length
// 0 inserts a mask. `tokens` has neither bos nor eos.
std::vector<int32_t> infill_text(const std::vector<int32_t>& tokens, int32_t mask_id,
                                 const DenoisingOptions& options, Rng& rng);

// The sentences of a paragraph: split behind . ! ? and white space.
std::vector<std::string> split_sentences(const std::string& paragraph);

// Source: the corrupted paragraph; target: the paragraph. New noise in every epoch.
class DenoisingStream : public ExampleStream {
 public:
  // Paragraphs of fewer than 8 tokens are left out. Error kBadData when none is left, kBadModel
  // when the tokenizer has no mask token.
  DenoisingStream(const std::vector<std::string>& paragraphs, const Tokenizer& tokenizer,
                  const DenoisingOptions& options, uint64_t seed);

  std::vector<EncodedExample> next_batch() override;
  double mean_batch_size() const override { return mean_batch_size_; }
  Json state() const override;
  void set_state(const Json& state) override;

 private:
  using Sentences = std::vector<std::vector<int32_t>>;
  EncodedExample corrupt(const Sentences& paragraph);
  void start_epoch();

  std::vector<Sentences> paragraphs_;
  double mean_batch_size_ = 0;
  SpecialTokens special_;
  DenoisingOptions options_;
  Rng rng_;
  std::string epoch_state_;  // the generator at the start of the epoch, from which order_ follows
  std::vector<size_t> order_;
  size_t position_ = 0;
};

}  // namespace trivium::learning
