// A guard in front of the sentencepiece library, which trusts one part of a model file.
#pragma once

#include <string>
#include <string_view>

namespace trivium {

// The normalisation table of a model ("precompiled_charsmap") is a double-array trie that the
// library (0.1.97, and up to 0.2.0) walks without looking at bounds, so that a damaged or malicious
// file makes it read outside of it. This checks every step that a walk could take. `model` is the
// serialised ModelProto. Error kBadModel naming `where`.
void check_charsmap(std::string_view model, const std::string& where);

}  // namespace trivium
