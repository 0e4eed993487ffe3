#include "model/loss.h"

namespace trivium {

torch::Tensor label_smoothed_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double smoothing) {
  return at::cross_entropy_loss(logits.to(torch::kFloat32), labels, /*weight=*/{},
                                at::Reduction::None,
                                /*ignore_index=*/-100, smoothing);
}

}  // namespace trivium
