// How the decoder of an imported encoder begins.
#include <gtest/gtest.h>

#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

TEST(ImportBert, DecoderReadsTheMeanOfTheSource) {
  torch::NoGradGuard no_grad;
  Checkpoint checkpoint = import_bert_as_seq2seq(tiny_bert(), {3, 1, DecoderStart::kMean}, {});
  Seq2SeqModel model = checkpoint.model;
  model->eval();
  const torch::Tensor source = torch::tensor({{2, 7, 9, 11, 3}, {2, 8, 3, 0, 0}});
  const torch::Tensor mask = source != 0;
  const torch::Tensor memory = model->encode(source, mask, {});
  const torch::Tensor input = torch::full({2, 1}, 2);
  const torch::Tensor hidden = model->decode(input, memory, mask, {});
  const torch::Tensor mean =
      (memory * mask.unsqueeze(2)).sum(1, /*keepdim=*/true) / mask.sum(1).view({2, 1, 1});
  const auto norm = [&](const torch::Tensor& x) {
    return at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-12);
  };
  const torch::Tensor start =
      model->decoder()->embed(torch::embedding(model->shared_weight(), input), 0);
  EXPECT_LT(max_difference(hidden, norm(norm(norm(start) + mean))), 1e-5);
}

}  // namespace
}  // namespace trivium::learning
