#include "core/tokenizers/byte_alphabet.h"

#include "core/tokenizers/unicode.h"

namespace trivium {
namespace {

constexpr size_t kAlphabetEnd = 256 + 68;  // behind the last code point in use

// [byte] -> its code point
std::array<CodePoint, 256> make_code_points() {
  std::array<CodePoint, 256> code_points;
  CodePoint next = 256;
  for (CodePoint byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    code_points[byte] = printable ? byte : next++;
  }
  return code_points;
}

}  // namespace

const std::array<std::string, 256>& byte_alphabet() {
  static const auto alphabet = [] {
    std::array<std::string, 256> characters;
    const auto code_points = make_code_points();
    for (size_t byte = 0; byte < 256; ++byte) append_utf8(characters[byte], code_points[byte]);
    return characters;
  }();
  return alphabet;
}

std::string spelled_bytes(std::string_view token) {
  static const auto bytes = [] {
    std::array<int, kAlphabetEnd> table;
    table.fill(-1);
    const auto code_points = make_code_points();
    for (size_t byte = 0; byte < 256; ++byte) table[code_points[byte]] = static_cast<int>(byte);
    return table;
  }();
  std::string result;
  for (size_t i = 0; i < token.size();) {
    const CodePoint c = next_code_point(token, i);
    if (c >= kAlphabetEnd || bytes[c] < 0) return std::string(token);
    result += static_cast<char>(bytes[c]);
  }
  return result;
}

}  // namespace trivium
