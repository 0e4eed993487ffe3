// Records of classification tasks as ids: [CLS] a [SEP] b [SEP].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tokenizers/tokenizer.h"
#include "learning/examples/labelled_task.h"
#include "learning/model/encoder_classifier.h"

namespace trivium::learning {

// One example a record, in order; `task` is the row of the model's heads. A pair that is too long
// loses ids on the right of its longer text, one after the other; a single text on its right. Error
// kUsage where max_length is below 8.
std::vector<LabelledExample> encode_labelled(const std::vector<LabelledRecord>& records,
                                             AnswerKind kind, int64_t task,
                                             const Tokenizer& tokenizer, int64_t max_length);

// Where `word` occurs in `sentence`, first byte and one past the last: the word of the sentence
// (ASCII letters, digits, bytes above 127) that shares the longest beginning with it, ignoring
// case, since sentences inflect what is asked for ("pull": "pulls"); of equals the shortest, then
// the first. The whole sentence where none shares a letter.
std::pair<size_t, size_t> find_word(std::string_view sentence, std::string_view word);

}  // namespace trivium::learning
