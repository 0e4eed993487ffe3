// Makes a sentencepiece model from text.
#pragma once

#include <cstdint>
#include <filesystem>

namespace trivium {

// Trains a unigram model of (at most) `vocab_size` pieces on the lines of `corpus` and writes
// `folder`/spiece.model. The model keeps text as it is: no Unicode normalisation, white space kept,
// rare characters spelled in bytes. Its special pieces are <s> 0, <pad> 1, </s> 2, <unk> 3, as
// BART's, and <mask> 4. The same corpus gives the same model on every machine. Error kMissingInput
// when there is no corpus, kBadData when the library cannot train on it (its reason is in the
// message: too little text, or a vocabulary too small for the 256 bytes).
void train_sentencepiece(const std::filesystem::path& corpus, const std::filesystem::path& folder,
                         int32_t vocab_size);

}  // namespace trivium
