#include "fuzz/tokenizer_input.h"

namespace trivium::fuzz {

// vocab.txt, a text, tokenizer_config.json, special_tokens_map.json and added_tokens.json.
void fuzz_wordpiece(std::string_view input) {
  const auto parts = parts_of(input, 5);
  put_file("vocab.txt", parts[0]);
  put_file("tokenizer_config.json", parts[2]);
  put_file("special_tokens_map.json", parts[3]);
  put_file("added_tokens.json", parts[4]);
  may_refuse(input, [&] { load_and_use_tokenizer(parts[1]); });
}

}  // namespace trivium::fuzz
