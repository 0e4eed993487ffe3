#include "core/tokenizers/trie.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

TEST(Trie, FindsTheLongestPrefix) {
  Trie trie;
  trie.insert("a", 1);
  trie.insert("abc", 3);
  trie.insert("\xC3\xA9", 4);
  const auto match = [&](std::string_view text) {
    const Trie::Match found = trie.longest_prefix(text);
    return std::pair(found.length, found.value);
  };
  EXPECT_EQ(match("abcd"), std::pair(size_t{3}, 3));
  EXPECT_EQ(match("abd"), std::pair(size_t{1}, 1));
  EXPECT_EQ(match("\xC3\xA9"), std::pair(size_t{2}, 4));
  EXPECT_EQ(match("\xC3"), std::pair(size_t{0}, -1));
  EXPECT_EQ(match(""), std::pair(size_t{0}, -1));
  trie.insert("abc", 5);
  EXPECT_EQ(match("abc"), std::pair(size_t{3}, 5));
}

}  // namespace
}  // namespace trivium
