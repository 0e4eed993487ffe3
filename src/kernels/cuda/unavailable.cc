// Stands in for the other files of this folder in a build without nvcc.
#include "base/error.h"
#include "kernels/expert_mix.h"

namespace trivium {
namespace {

[[noreturn]] void throw_unavailable() {
  throw Error(ExitCode::kUnavailable,
              "this build has no CUDA kernels; install the CUDA Toolkit (nvcc) and build again, or "
              "use --device cpu");
}

}  // namespace

int cuda_device_count() { return 0; }

namespace cuda {
void mix_expert_outputs(const ExpertMix&) { throw_unavailable(); }
}  // namespace cuda

}  // namespace trivium
