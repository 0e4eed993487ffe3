#include "learning/model/compute.h"

namespace trivium::learning {
namespace {

struct Flops {
  double pools = 0;   // of one expert in every pool
  double shared = 0;  // ordinary layers and the output projection
};

Flops count(const ModelConfig& c, const ExampleLengths& lengths) {
  const double d = static_cast<double>(c.d_model), s = lengths.source, t = lengths.target;
  const double encoder_layer =
      2 * s * (4 * d * d + 2 * d * static_cast<double>(c.encoder_ffn_dim)) + 4 * s * s * d;
  // Cross-attention projects the encoder's states to keys and values.
  const double decoder_layer =
      2 * t * (6 * d * d + 2 * d * static_cast<double>(c.decoder_ffn_dim)) + 4 * s * d * d +
      4 * t * (t + s) * d;
  Flops flops;
  for (int64_t l = 0; l < c.encoder_layers; ++l) {
    (c.encoder_layer_is_pool(l) ? flops.pools : flops.shared) += encoder_layer;
  }
  for (int64_t l = 0; l < c.decoder_layers; ++l) {
    (c.decoder_layer_is_pool(l) ? flops.pools : flops.shared) += decoder_layer;
  }
  flops.shared += 2 * t * d * static_cast<double>(c.vocab_size);
  return flops;
}

}  // namespace

double forward_flops(const ModelConfig& config, const ExampleLengths& lengths, double experts_run) {
  const Flops flops = count(config, lengths);
  return flops.shared + flops.pools * experts_run;
}

double training_flops(const ModelConfig& config, const ExampleLengths& lengths, double experts_run,
                      double forward_only) {
  const Flops flops = count(config, lengths);
  return 3 * flops.shared + flops.pools * (3 * experts_run + forward_only);
}

}  // namespace trivium::learning
