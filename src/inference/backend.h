// Who computes a model's answers: the LibTorch model, on any device, or the fast engine, on the CPU
// or on a CUDA device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "generation/step_decoder.h"
#include "inference/task_route.h"
#include "model/seq2seq_model.h"

namespace trivium {

class Backend {
 public:
  virtual ~Backend() = default;

  virtual const ModelConfig& config() const = 0;

  // Bytes of weights that a decoding step of one row reads; 0 where that is not known.
  virtual int64_t step_bytes() const { return 0; }

  // The GPU that computes, by its name; "" for a CPU, and where that is not known.
  virtual std::string device_name() const { return ""; }

  // Whether a decoder can have more sources than places, so that others take the places of those
  // that end (continuous batching), and whether a source's length costs no other one anything.
  virtual bool batches_continuously() const { return false; }

  // A decoder over `sources` (token ids), one route each; both must outlive it. `places`: how many
  // sources it decodes at once; all, where it does not batch continuously. `positions`: how many
  // tokens of all rows together are to be expected at most. One decoder at a time.
  virtual std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                             const std::vector<const TaskRoute*>& routes,
                                             int64_t places, int64_t positions) = 0;
};

// The model must be in evaluation mode on its device.
std::shared_ptr<Backend> torch_backend(Seq2SeqModel model);

// Packs what `read` gives, on the device that `options` name. Throws what `read`, Engine and
// CudaEngine throw.
std::shared_ptr<Backend> engine_backend(const ModelConfig& config, const EngineOptions& options,
                                        const TensorReader& read);

}  // namespace trivium
