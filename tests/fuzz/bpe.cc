#include "fuzz/tokenizer_input.h"

namespace trivium::fuzz {

// merges.txt, a text, tokenizer_config.json and vocab.json.
void fuzz_bpe(std::string_view input) {
  const auto parts = parts_of(input, 4);
  put_file("merges.txt", parts[0]);
  put_file("tokenizer_config.json", parts[2]);
  put_file("vocab.json", parts[3]);
  may_refuse(input, [&] { load_and_use_tokenizer(parts[1]); });
}

}  // namespace trivium::fuzz
