#include "core/engine/engine.h"

#include <charconv>

#include "core/base/error.h"
#include "core/engine/cpu/cpu_engine.h"
#include "core/engine/cuda/cuda_engine.h"
#include "core/kernels/backend.h"

namespace trivium {

Device parse_device(const std::string& name) {
  if (name == "cpu") return {};
  int number = 0;
  bool is_device = name == "cuda";
  if (name.starts_with("cuda:")) {
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + 5, end, number);
    is_device = error == std::errc() && rest == end && number >= 0;
  }
  if (!is_device) {
    throw Error(ExitCode::kUsage,
                "unknown device \"" + name + "\": it must be cpu, cuda or cuda:N");
  }
  const int count = cuda_device_count();
  if (number >= count) {
    throw Error(ExitCode::kUnavailable,
                count == 0 ? "this build or this machine has no CUDA device; use --device cpu"
                           : "there is no device " + name +
                                 ": the last one is cuda:" + std::to_string(count - 1));
  }
  return {DeviceKind::kCuda, number};
}

std::unique_ptr<StepDecoder> Engine::start_empty(const std::vector<const TaskRoute*>& /*routes*/,
                                                 int64_t /*places*/) {
  throw Error(ExitCode::kUnavailable,
              "this engine takes no sources while it decodes; use --device cpu");
}

std::vector<std::vector<float>> Engine::mean_states(
    const std::vector<std::vector<int32_t>>& /*sources*/,
    const std::vector<const TaskRoute*>& /*routes*/) {
  throw Error(ExitCode::kUnavailable,
              "this engine gives no sentence vectors; use --device cpu and --engine fast");
}

void Engine::log_gates(GateLog* /*log*/) {
  throw Error(ExitCode::kUnavailable,
              "this engine does not tell what token gates choose; use "
              "--device cpu");
}

std::shared_ptr<Engine> make_engine(const ModelConfig& config, const EngineOptions& options,
                                    const TensorReader& read) {
  if (options.device.kind == DeviceKind::kCuda) {
    return std::make_shared<CudaEngine>(config, options, read);
  }
  return std::make_shared<CpuEngine>(config, options, read);
}

}  // namespace trivium
