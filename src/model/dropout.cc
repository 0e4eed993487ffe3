#include "model/dropout.h"

#include <cmath>
#include <limits>
#include <optional>

namespace trivium {

torch::Tensor drop_out(const torch::Tensor& input, double rate, bool training) {
  if (!training || rate == 0) return input;
  if (!input.is_cpu() || rate == 1) return torch::dropout(input, rate, training);
  // LibTorch's own draws 64 random bits an element on the CPU, which took a twelfth of a training
  // step; 16 will do.
  const int64_t count = input.numel();
  torch::Tensor bits = torch::empty({(count + 3) / 4}, torch::kInt64);
  bits.random_(std::numeric_limits<int64_t>::min(), std::optional<int64_t>());  // all 64 bits
  const torch::Tensor sixteen = bits.view(torch::kInt16).narrow(0, 0, count).view(input.sizes());
  const auto threshold = static_cast<int64_t>(std::lround(rate * 65536)) - 32768;
  const torch::Tensor scale = torch::full({}, 1 / (1 - rate), input.options());
  return input * torch::where(sixteen >= threshold, scale, torch::zeros_like(scale));
}

}  // namespace trivium
