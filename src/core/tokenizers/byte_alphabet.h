// GPT-2's printable alphabet of bytes, in which vocab.json and merges.txt are written.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace trivium {

// The UTF-8 of the character that stands for each byte: 33..126, 161..172 and 174..255 for
// themselves, the 68 others for U+0100 onward in order (space: U+0120).
const std::array<std::string, 256>& byte_alphabet();

// The bytes that `token` spells. A token with any character outside the alphabet (an added one)
// spells its own UTF-8. `token` is valid UTF-8.
std::string spelled_bytes(std::string_view token);

}  // namespace trivium
