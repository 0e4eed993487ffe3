#include "learning/model/device.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

ExitCode code_of(const std::string& name) {
  try {
    parse_device(name);
  } catch (const Error& e) {
    return e.code();
  }
  return ExitCode::kOk;
}

TEST(ParseDeviceTest, KnowsItsNames) {
  EXPECT_EQ(parse_device("cpu").type(), torch::kCPU);
  for (const char* name : {"", "gpu", "cpu:x", "CPU", "cudas"}) {
    EXPECT_EQ(code_of(name), ExitCode::kUsage) << name;
  }
}

TEST(ParseDeviceTest, SaysWhereThereIsNoGpu) {
  const ExitCode code = code_of("cuda");
  if (code == ExitCode::kOk) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(code, ExitCode::kUnavailable);
}

}  // namespace
}  // namespace trivium::learning
