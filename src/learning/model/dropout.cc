#include "learning/model/dropout.h"

#include <limits>
#include <optional>

#include "core/kernels/dropout.h"

namespace trivium::learning {
namespace {

constexpr int64_t kDropoutGrain = 1 << 15;  // elements a thread takes at least

bool is_bfloat16(const torch::Tensor& tensor) { return tensor.scalar_type() == torch::kBFloat16; }

bool has_kernel(const torch::Tensor& tensor) {
  return tensor.is_cpu() && (tensor.scalar_type() == torch::kFloat32 || is_bfloat16(tensor));
}

// What forward and backward make the same mask of.
struct MaskSeed {
  double rate;
  int64_t key;
  DropoutMask mask() const { return {rate, static_cast<uint64_t>(key)}; }
};

constexpr MaskSeed kKeepAll = {0, 0};

MaskSeed draw_seed(double rate) {
  torch::Tensor key = torch::empty({}, torch::kInt64);
  key.random_(std::numeric_limits<int64_t>::min(), std::optional<int64_t>());  // all 64 bits
  return {rate, key.item<int64_t>()};
}

uint16_t* bfloat16_data(const torch::Tensor& tensor) {
  return reinterpret_cast<uint16_t*>(tensor.data_ptr<at::BFloat16>());
}

// mask * values as `type`, which is the values' own or bfloat16.
torch::Tensor masked(const DropoutMask& mask, const torch::Tensor& values, torch::ScalarType type) {
  const torch::Tensor from = values.contiguous();
  torch::Tensor to = torch::empty(values.sizes(), type);
  at::parallel_for(0, from.numel(), kDropoutGrain, [&](int64_t begin, int64_t end) {
    if (is_bfloat16(from)) {
      drop_values(mask, begin, bfloat16_data(from) + begin, end - begin, bfloat16_data(to) + begin);
    } else if (is_bfloat16(to)) {
      drop_values(mask, begin, from.data_ptr<float>() + begin, end - begin,
                  bfloat16_data(to) + begin);
    } else {
      drop_values(mask, begin, from.data_ptr<float>() + begin, end - begin,
                  to.data_ptr<float>() + begin);
    }
  });
  return to;
}

void save(torch::autograd::AutogradContext* context, MaskSeed seed) {
  context->saved_data["rate"] = seed.rate;
  context->saved_data["key"] = seed.key;
}

DropoutMask saved_mask(torch::autograd::AutogradContext* context) {
  return MaskSeed{context->saved_data["rate"].toDouble(), context->saved_data["key"].toInt()}
      .mask();
}

class Dropped : public torch::autograd::Function<Dropped> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& input, MaskSeed seed) {
    save(context, seed);
    return masked(seed.mask(), input, input.scalar_type());
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    return {masked(saved_mask(context), gradients[0], gradients[0].scalar_type()), {}};
  }
};

class AddDropped : public torch::autograd::Function<AddDropped> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& residual, const torch::Tensor& input,
                               MaskSeed seed) {
    save(context, seed);
    const DropoutMask mask = seed.mask();
    context->saved_data["type"] = static_cast<int64_t>(input.scalar_type());
    const torch::Tensor from = input.contiguous(), base = residual.contiguous();
    torch::Tensor sum = torch::empty(residual.sizes(), torch::kFloat32);
    at::parallel_for(0, sum.numel(), kDropoutGrain, [&](int64_t begin, int64_t end) {
      const float* residuals = base.data_ptr<float>() + begin;
      float* out = sum.data_ptr<float>() + begin;
      if (is_bfloat16(from)) {
        add_dropped_values(mask, begin, residuals, bfloat16_data(from) + begin, end - begin, out);
      } else {
        add_dropped_values(mask, begin, residuals, from.data_ptr<float>() + begin, end - begin,
                           out);
      }
    });
    return sum;
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    const auto type = static_cast<torch::ScalarType>(context->saved_data["type"].toInt());
    return {gradients[0], masked(saved_mask(context), gradients[0], type), {}};
  }
};

}  // namespace

torch::Tensor drop_out(const torch::Tensor& input, double rate, bool training) {
  if (!training || rate == 0) return input;
  if (!has_kernel(input) || rate == 1) return torch::dropout(input, rate, training);
  return Dropped::apply(input, draw_seed(rate));
}

torch::Tensor add_dropped_out(const torch::Tensor& residual, const torch::Tensor& input,
                              double rate, bool training) {
  if (!has_kernel(input) || !residual.is_cpu() || residual.scalar_type() != torch::kFloat32 ||
      residual.sizes() != input.sizes() || rate == 1) {
    return residual + drop_out(input, rate, training);
  }
  const bool drops = training && rate > 0;
  if (!drops && !is_bfloat16(input)) return residual + input;
  return AddDropped::apply(residual, input, drops ? draw_seed(rate) : kKeepAll);
}

}  // namespace trivium::learning
