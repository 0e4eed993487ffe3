// What a training's targets say of the output layer before any step is made.
#pragma once

#include <vector>

#include "learning/model/batch.h"
#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

// Sets final_logits_bias to the logarithm of half each token's share of the targets' tokens and
// half an even share: a token that no target has is no less likely than it was by chance, since a
// task that comes later may need it.
void set_output_bias(Seq2SeqModel& model, const std::vector<EncodedExample>& examples);

}  // namespace trivium::learning
