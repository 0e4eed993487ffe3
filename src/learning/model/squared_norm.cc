#include "learning/model/squared_norm.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/kernels/sum_of_squares.h"

namespace trivium::learning {

double squared_norm(const torch::Tensor& tensor) {
  if (!tensor.is_cpu() || tensor.scalar_type() != torch::kFloat32) {
    return std::pow(tensor.norm().item<double>(), 2);
  }
  constexpr int64_t kPart = 1 << 16;
  const torch::Tensor contiguous = tensor.contiguous();
  const auto* values = contiguous.const_data_ptr<float>();
  const int64_t count = contiguous.numel();
  std::vector<double> parts(static_cast<size_t>((count + kPart - 1) / kPart));
  at::parallel_for(0, static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = part * kPart;
      parts[static_cast<size_t>(part)] =
          sum_of_squares(values + first, std::min(kPart, count - first));
    }
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

}  // namespace trivium::learning
