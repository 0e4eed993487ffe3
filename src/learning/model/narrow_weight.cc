#include "learning/model/narrow_weight.h"

#include "core/kernels/bfloat16.h"
#include "learning/model/bfloat16_scope.h"

namespace trivium::learning {
namespace {

constexpr int64_t kNarrowingGrain = 1 << 16;  // values a thread takes at least

void narrow(const torch::Tensor& values, torch::Tensor& out) {
  const auto* from = values.const_data_ptr<float>();
  auto* to = reinterpret_cast<uint16_t*>(out.data_ptr<at::BFloat16>());
  at::parallel_for(0, values.numel(), kNarrowingGrain, [&](int64_t begin, int64_t end) {
    narrow_to_bfloat16(from + begin, end - begin, to + begin);
  });
}

torch::Tensor widen(const torch::Tensor& values) {
  const torch::Tensor contiguous = values.contiguous();
  torch::Tensor out = torch::empty(values.sizes(), torch::kFloat32);
  const auto* from = reinterpret_cast<const uint16_t*>(contiguous.const_data_ptr<at::BFloat16>());
  auto* to = out.data_ptr<float>();
  at::parallel_for(0, out.numel(), kNarrowingGrain, [&](int64_t begin, int64_t end) {
    widen_from_bfloat16(from + begin, end - begin, to + begin);
  });
  return out;
}

// The copy in place of the weight; its gradient is the weight's.
class InPlaceOf : public torch::autograd::Function<InPlaceOf> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* /*context*/,
                               const torch::Tensor& /*weight*/, const torch::Tensor& copy) {
    return copy.detach();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* /*context*/,
                                               const torch::autograd::tensor_list& gradients) {
    return {gradients[0].scalar_type() == torch::kBFloat16 ? widen(gradients[0]) : gradients[0],
            {}};
  }
};

}  // namespace

torch::Tensor NarrowWeight::of(const torch::Tensor& weight) {
  if (!weight.is_cpu() || weight.scalar_type() != torch::kFloat32 || !in_bfloat16_scope(weight)) {
    return weight;
  }
  const int64_t version = weight._version();
  if (version != version_ || weight.const_data_ptr() != source_) {
    const torch::NoGradGuard no_grad;
    const c10::InferenceMode no_inference(false);  // the copy may serve a backward pass later
    const torch::Tensor values = weight.detach().contiguous();
    if (!copy_.defined() || copy_.sizes() != values.sizes()) {
      copy_ = torch::empty(values.sizes(), torch::kBFloat16);
    }
    narrow(values, copy_);
    // So that a backward pass through products of the old copy is an error, not a wrong number.
    copy_.unsafeGetTensorImpl()->bump_version();
    version_ = version;
    source_ = weight.const_data_ptr();
  }
  if (!torch::GradMode::is_enabled() || !weight.requires_grad()) return copy_;
  return InPlaceOf::apply(weight, copy_);
}

}  // namespace trivium::learning
