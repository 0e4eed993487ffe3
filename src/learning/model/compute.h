// How much a model computes, counted from its shape.
#pragma once

#include "core/config/model_config.h"

namespace trivium::learning {

// The lengths of one example in tokens; means over examples may be fractions.
struct ExampleLengths {
  double source = 0;
  double target = 0;
};

// Floating-point operations (a multiply-add is two) of a forward pass over one example where every
// pool runs `experts_run` of its experts: matrix products, attention and the output projection.
double forward_flops(const ModelConfig& config, const ExampleLengths& lengths, double experts_run);

// Of a training step over one example. A backward pass costs two forward passes; `forward_only`
// more experts of every pool run forward without one (straight-through selection's unselected
// experts).
double training_flops(const ModelConfig& config, const ExampleLengths& lengths, double experts_run,
                      double forward_only);

}  // namespace trivium::learning
