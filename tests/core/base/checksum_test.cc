#include "core/base/checksum.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

// The values are those of the reference program: printf %s TEXT | xxhsum -H3.
TEST(ChecksumTest, IsXxh3) {
  EXPECT_EQ(checksum_text(checksum_of("")), "2d06800538d394c2");
  EXPECT_EQ(checksum_text(checksum_of("text")), "4769fd1c60e8a611");
  const std::byte bytes[] = {std::byte{'t'}, std::byte{'e'}, std::byte{'x'}, std::byte{'t'}};
  EXPECT_EQ(checksum_of(bytes), checksum_of("text"));
}

TEST(ChecksumTest, IsWrittenWithLeadingZeros) {
  EXPECT_EQ(checksum_text(0x1f), "000000000000001f");
}

}  // namespace
}  // namespace trivium
