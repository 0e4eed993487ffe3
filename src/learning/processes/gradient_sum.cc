#include "learning/processes/gradient_sum.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>

namespace trivium::learning {

// Called by the backward pass when a parameter's gradient has all that the pass adds to it.
class GradientSum::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(GradientSum& sum, size_t parameter) : sum_(sum), parameter_(parameter) {}
  void operator()(const torch::autograd::Variable& /*tensor*/) override {
    sum_.is_whole(parameter_);
  }

 private:
  GradientSum& sum_;
  size_t parameter_;
};

GradientSum::GradientSum(const Processes& processes, const std::vector<torch::Tensor>& parameters,
                         int64_t bucket_bytes)
    : processes_(processes) {
  if (processes.size() == 1) return;
  // The backward pass comes to the last layers first.
  parameters_.assign(parameters.rbegin(), parameters.rend());
  int64_t bytes = bucket_bytes;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (bytes >= bucket_bytes) {
      buckets_.emplace_back();
      bytes = 0;
    }
    bytes += static_cast<int64_t>(parameters_[i].nbytes());
    buckets_.back().parameters.push_back(i);
    bucket_of_.push_back(buckets_.size() - 1);
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_[i],
                                                   std::make_unique<Hook>(*this, i));
  }
}

GradientSum::~GradientSum() {
  for (const torch::Tensor& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
  }
}

void GradientSum::begin() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
  next_ = 0;
  is_begun_ = true;
}

void GradientSum::is_whole(size_t parameter) {
  if (!is_begun_) return;  // of a batch before the last
  --buckets_[bucket_of_[parameter]].missing;
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) send_next();
}

void GradientSum::send_next() {
  Bucket& bucket = buckets_[next_++];
  bucket.flat = packed(bucket);
  bucket.sum = processes_.begin_sum(bucket.flat);
}

torch::Tensor GradientSum::packed(const Bucket& bucket) const {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parts;
  std::vector<float> has;
  for (const size_t i : bucket.parameters) {
    const torch::Tensor& gradient = parameters_[i].grad();
    has.push_back(gradient.defined() ? 1.0f : 0.0f);
    parts.push_back(gradient.defined() ? gradient : torch::zeros_like(parameters_[i]));
  }
  parts.push_back(torch::tensor(has));
  return at::flatten_dense_tensors(parts);
}

void GradientSum::unpack(Bucket& bucket) {
  bucket.sum.wait();
  std::vector<torch::Tensor> shapes;
  for (const size_t i : bucket.parameters) shapes.push_back(parameters_[i]);
  shapes.push_back(torch::empty({std::ssize(bucket.parameters)}));
  const std::vector<torch::Tensor> sums = at::unflatten_dense_tensors(bucket.flat, shapes);
  for (size_t k = 0; k < bucket.parameters.size(); ++k) {
    const bool is_used = sums.back()[static_cast<int64_t>(k)].item<float>() > 0;
    parameters_[bucket.parameters[k]].mutable_grad() = is_used ? sums[k] : torch::Tensor();
  }
  bucket.flat = torch::Tensor();
}

void GradientSum::finish() {
  if (!is_begun_) return;
  is_begun_ = false;
  while (next_ < buckets_.size()) send_next();
  for (Bucket& bucket : buckets_) unpack(bucket);
}

}  // namespace trivium::learning
