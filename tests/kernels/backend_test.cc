#include "kernels/backend.h"

#include <gtest/gtest.h>

#include "kernels/device_array.h"

namespace trivium {
namespace {

TEST(BackendTest, CountsCudaDevicesOnEveryMachine) {
  const int count = cuda_device_count();
  EXPECT_GE(count, 0);
  EXPECT_EQ(count, cuda_device_count());
}

TEST(BackendTest, FindsTheGpuThatThisMachineMustHave) {
  TRIVIUM_SKIP_WITHOUT(Device::kCuda);
  EXPECT_GE(cuda_device_count(), 1);
}

}  // namespace
}  // namespace trivium
