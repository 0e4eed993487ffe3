// How GPT-2 (and BART) cut text into the words inside which byte pairs are merged.
#pragma once

#include <string_view>
#include <vector>

namespace trivium {

// The matches of
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// in order, found by a scanner that reads each character a bounded number of times. They cover the
// whole text; the views point into it. `text` is valid UTF-8.
std::vector<std::string_view> split_gpt2_words(std::string_view text);

}  // namespace trivium
