#include "core/tokenizers/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

namespace trivium {
namespace {

TEST(ByteAlphabet, IsGpt2s) {
  EXPECT_EQ(byte_alphabet()['A'], "A");
  EXPECT_EQ(byte_alphabet()['~'], "~");
  EXPECT_EQ(byte_alphabet()[0], "\u0100");
  EXPECT_EQ(byte_alphabet()['\n'], "\u010A");
  EXPECT_EQ(byte_alphabet()[' '], "\u0120");
  EXPECT_EQ(byte_alphabet()[0x7F], "\u0121");
  EXPECT_EQ(byte_alphabet()[0xAD], "\u0143");  // the last that has a substitute
  EXPECT_EQ(byte_alphabet()[0xFF], "\u00FF");
}

TEST(ByteAlphabet, SpellsEveryByteOnce) {
  std::set<std::string> characters;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string& character = byte_alphabet()[static_cast<size_t>(byte)];
    EXPECT_EQ(spelled_bytes(character), std::string(1, static_cast<char>(byte)));
    characters.insert(character);
  }
  EXPECT_EQ(characters.size(), 256u);
}

TEST(ByteAlphabet, OtherCharactersSpellThemselves) {
  EXPECT_EQ(spelled_bytes("\u0120a"), " a");
  EXPECT_EQ(spelled_bytes("\u0120\u4E2D"), "\u0120\u4E2D");
  EXPECT_EQ(spelled_bytes("a b"), "a b");  // a space is written U+0120 in the alphabet
  EXPECT_EQ(spelled_bytes("\u0144"), "\u0144");
}

}  // namespace
}  // namespace trivium
