#include "learning/model/tied_embedding.h"

namespace trivium::learning {
namespace {

void add_rows(torch::Tensor& table, const torch::Tensor& ids, const torch::Tensor& rows) {
  if (!rows.defined()) return;
  const torch::Tensor flat = rows.reshape({-1, table.size(1)}).to(table.scalar_type());
  if (table.is_cpu()) {
    table.index_add_(0, ids.flatten(), flat);
  } else {  // index_add_ would add in any order there
    table.add_(at::embedding_dense_backward(flat, ids.flatten(), table.size(0), -1, false));
  }
}

class ThreeUses : public torch::autograd::Function<ThreeUses> {
 public:
  static torch::autograd::tensor_list forward(torch::autograd::AutogradContext* context,
                                              const torch::Tensor& weight,
                                              const torch::Tensor& source,
                                              const torch::Tensor& target) {
    context->saved_data["source"] = source;
    context->saved_data["target"] = target;
    return {torch::embedding(weight, source), torch::embedding(weight, target), weight.detach()};
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    torch::Tensor table = gradients[2].contiguous();  // a copy where it is expanded
    add_rows(table, context->saved_data["source"].toTensor(), gradients[0]);
    add_rows(table, context->saved_data["target"].toTensor(), gradients[1]);
    return {table, {}, {}};
  }
};

}  // namespace

TiedEmbedding tied_embedding(const torch::Tensor& weight, const torch::Tensor& source,
                             const torch::Tensor& target) {
  const auto uses = ThreeUses::apply(weight, source, target);
  return {uses[0], uses[1], uses[2]};
}

}  // namespace trivium::learning
