// Expert weight regularisation (docs/spec/task_level.md, section 5).
#pragma once

#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

// Adds to the parameters' gradients those of coefficient * R, where R is the sum over pools of the
// mean over pairs of experts of sum_p sqrt(||p_i - p_j||^2 + 1e-12) over their tensors p, and
// returns R. (The reference's norm has no gradient where two experts are equal:
// docs/spec/parity.md, A27.)
double add_expert_distance_gradients(Seq2SeqModelImpl& model, double coefficient);

}  // namespace trivium::learning
