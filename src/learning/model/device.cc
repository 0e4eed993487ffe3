#include "learning/model/device.h"

#include <dlfcn.h>

#include "core/base/error.h"

namespace trivium::learning {

torch::Device parse_device(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  if (name != "cuda" && !name.starts_with("cuda:")) {
    throw Error(ExitCode::kUsage, "unknown device \"" + name + "\"; use cpu, cuda or cuda:N");
  }
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw Error(ExitCode::kUnavailable,
                std::string("LibTorch's CUDA library cannot be loaded: ") + dlerror());
  }
  if (!torch::cuda::is_available()) {
    throw Error(ExitCode::kUnavailable, "no CUDA device was found; use --device cpu");
  }
  try {
    return torch::Device(name);
  } catch (const c10::Error&) {
    throw Error(ExitCode::kUsage, "malformed device \"" + name + "\"; use cpu, cuda or cuda:N");
  }
}

}  // namespace trivium::learning
