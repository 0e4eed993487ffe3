#include "fuzz/tokenizer_input.h"

namespace trivium::fuzz {

// A tokenizer.json, a tokenizer_config.json and a text.
void fuzz_tokenizer_json(std::string_view input) {
  const auto parts = parts_of(input, 3);
  put_file("tokenizer.json", parts[0]);
  put_file("tokenizer_config.json", parts[1]);
  may_refuse(input, [&] { load_and_use_tokenizer(parts[2]); });
}

}  // namespace trivium::fuzz
