#include "learning/model/bfloat16_scope.h"

#include <gtest/gtest.h>

#include "core/base/log_lines.h"

namespace trivium::learning {
namespace {

using enum InstructionSet;

TEST(Bfloat16ScopeTest, WarnsWhereLibTorchHasNoProductsOfBfloat16) {
  const std::vector<InstructionSet> zen3 = {kPortable, kAvx2},
                                    skylake = {kPortable, kAvx2, kAvx512},
                                    altra = {kPortable, kNeon, kNeonDot},
                                    graviton3 = {kPortable, kNeon, kNeonDot, kNeonMatrix};
  EXPECT_NE(slow_bfloat16_warning(zen3).find("choose fp32"), std::string::npos);
  EXPECT_NE(slow_bfloat16_warning(altra).find("choose fp32"), std::string::npos);
  EXPECT_EQ(slow_bfloat16_warning(skylake), "");
  EXPECT_EQ(slow_bfloat16_warning(graviton3), "");
}

TEST(Bfloat16ScopeTest, WarnsOnceAtMost) {
  const LogLines log;
  for (int i = 0; i < 3; ++i) const Bfloat16Scope scope(true, torch::kCPU);
  EXPECT_LE(log.with("bf16 on this processor").size(), 1u);
}

}  // namespace
}  // namespace trivium::learning
