#include "core/base/hash.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

// The values of the authors' test vectors (draft-eastlake-fnv, appendix C).
TEST(Fnv1a, HasThePublishedValues) {
  EXPECT_EQ(fnv1a(""), 0xCBF29CE484222325u);
  EXPECT_EQ(fnv1a("a"), 0xAF63DC4C8601EC8Cu);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171F73967E8u);
  Fnv1a hash;
  hash.add('f');
  hash.add("oobar");
  EXPECT_EQ(hash.value(), fnv1a("foobar"));
}

}  // namespace
}  // namespace trivium
