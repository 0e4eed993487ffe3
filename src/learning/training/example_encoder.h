// What an example's texts become as token ids, in training and adaptation alike.
#pragma once

#include <cstdint>

#include "core/data/task.h"
#include "core/tokenizers/tokenizer.h"
#include "learning/model/batch.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

struct ExampleEncoder {
  const Tokenizer& tokenizer;
  int32_t decoder_start_id = 0;  // of the model that is to learn from them
  int64_t max_source_length = 128, max_target_length = 64;

  // The input, and the answer to learn, each cut on the right; `row` is that of the model's task
  // vectors. Says in `truncated`, where given, whether one of them was cut.
  EncodedExample encode(const Example& example, int64_t row, bool* truncated = nullptr) const {
    bool source_is_cut = false, target_is_cut = false;
    EncodedExample encoded;
    encoded.task = row;
    encoded.source = tokenizer.encode_with_special(
        example.input, static_cast<size_t>(max_source_length), &source_is_cut);
    encoded.target =
        tokenizer.encode_target(example.to_learn(), static_cast<size_t>(max_target_length),
                                decoder_start_id, &target_is_cut);
    if (truncated != nullptr) *truncated = source_is_cut || target_is_cut;
    return encoded;
  }
};

// For the model of `checkpoint`, which must outlive it.
inline ExampleEncoder example_encoder(const Checkpoint& checkpoint, int64_t max_source_length,
                                      int64_t max_target_length) {
  return {*checkpoint.tokenizer, checkpoint.config().decoder_start_token_id, max_source_length,
          max_target_length};
}

}  // namespace trivium::learning
