#include "fuzz/tokenizer_input.h"

namespace trivium::fuzz {

// A sentencepiece model.
void fuzz_sentencepiece(std::string_view input) {
  put_file("spiece.model", input);
  may_refuse(input, [&] { load_and_use_tokenizer("the witty film\n of 2024"); });
}

}  // namespace trivium::fuzz
