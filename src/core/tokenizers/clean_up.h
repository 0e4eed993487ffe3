// The clean-up of spaces after decoding that Hugging Face calls clean_up_tokenization_spaces.
#pragma once

#include <string>

namespace trivium {

// Takes the space before . ? ! , n't 'm 's 've 're and around a lone '. Lossy by design: "a , b"
// becomes "a, b".
std::string clean_up_spaces(std::string text);

}  // namespace trivium
