// What the targets of tokenizers share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizers/tokenizer.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// Loads the tokenizer of folder() and takes `text`, and texts that are known to be hard, there and
// back.
inline void load_and_use_tokenizer(std::string_view text) {
  const auto tokenizer = load_tokenizer(folder());
  static constexpr char kHard[] = "A  caf\u00e9\u0301, \u4e16\u754c!\t\x1e\x00\xff";
  for (const std::string_view one : {text, std::string_view(kHard, sizeof kHard - 1)}) {
    const std::vector<int32_t> ids = tokenizer->encode(one);
    tokenizer->decode(ids);
    for (const int32_t id : ids) tokenizer->token(id);
  }
  tokenizer->decode({-1, 0, tokenizer->vocab_size() - 1, tokenizer->vocab_size(), 1 << 30});
  tokenizer->encode_with_special(text, 8);
  tokenizer->set_model_rows(tokenizer->vocab_size());
}

}  // namespace trivium::fuzz
