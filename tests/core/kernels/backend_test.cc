#include "core/kernels/backend.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/kernels/cuda_device.h"

namespace trivium {
namespace {

// Where there is none, the test below says that the first cannot be opened.
TEST(BackendTest, EveryDeviceThatIsCountedCanBeOpened) {
  for (int device = 0; device < cuda_device_count(); ++device) {
    EXPECT_NO_THROW(cuda::Stream stream(device)) << device;
  }
}

TEST(BackendTest, FindsTheGpuThatThisMachineMustHave) {
  TRIVIUM_NEEDS_CUDA();
  EXPECT_GE(cuda_device_count(), 1);
}

TEST(BackendTest, ADeviceThatIsNotThereIsAnErrorThatSaysWhatToDo) {
  try {
    cuda::Stream stream(cuda_device_count());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUnavailable);
    EXPECT_NE(std::string(error.what()).find("--device cpu"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace trivium
