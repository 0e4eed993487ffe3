// The fast inference engine: what answers with a model, on the CPU or on a CUDA device. The rest of
// the program knows this interface alone; make_engine chooses.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/config/model_config.h"
#include "core/generation/step_decoder.h"
#include "core/kernels/instruction_set.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/token_gate.h"
#include "core/routes/task_route.h"

namespace trivium {

enum class DeviceKind { kCpu, kCuda };

// What computes: the CPU, or the CUDA device of a number.
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int number = 0;

  bool operator==(const Device&) const = default;
};

// "cpu", "cuda" (the first) or "cuda:N". Error kUsage for another name, kUnavailable where this
// build or this machine has no such device.
Device parse_device(const std::string& name);

struct EngineOptions {
  ComputeType type = ComputeType::kFloat32;
  int threads = 1;
  InstructionSet instructions = available_instruction_sets().back();
  // Of a soft route, experts with less weight than this are left out and the others' weights scaled
  // to add up to 1; the main expert stays whatever its weight. 0: all experts, exactly.
  float expert_threshold = 0;
  Device device;
};

// What the layers' token gates chose, one entry a layer that was computed: of each of its rows.
using GateLog = std::vector<std::vector<GateChoice>>;

class Engine {
 public:
  virtual ~Engine() = default;

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
  // tokens of all rows together are to be expected at most. One decoder at a time. Error kConfig
  // when a source is longer than the model's positions; a token outside the vocabulary or a route
  // of another model is a bug.
  virtual std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                             const std::vector<const TaskRoute*>& routes,
                                             int64_t places, int64_t positions) = 0;

  // A decoder without sources, which StepDecoder::add_source gives it one by one. It decodes up to
  // `places` at once, along routes that mix no more experts in a layer than one of `routes` does.
  // Other decoders may be started and run to their end between two of its steps. Error kUnavailable
  // where the engine does not batch continuously.
  virtual std::unique_ptr<StepDecoder> start_empty(const std::vector<const TaskRoute*>& routes,
                                                   int64_t places);

  // Of each source the mean over its positions of the encoder's output, [d_model]: a sentence's
  // vector. Error kUnavailable where the engine gives none; else as start.
  virtual std::vector<std::vector<float>> mean_states(
      const std::vector<std::vector<int32_t>>& sources,
      const std::vector<const TaskRoute*>& routes);

  // From now on `log` gets what token gates choose, layer after layer as they are computed; null
  // ends that. Error kUnavailable where the engine cannot tell.
  virtual void log_gates(GateLog* log);
};

// Packs what `read` gives, on the device that `options` name. Error kBadModel when a tensor has
// another shape than `config` asks for; kUnavailable, kUsage for what the device cannot compute;
// what `read` throws.
std::shared_ptr<Engine> make_engine(const ModelConfig& config, const EngineOptions& options,
                                    const TensorReader& read);

}  // namespace trivium
