#include "inference/backend.h"

#include <type_traits>
#include <utility>

#include "engine/cuda_decoder.h"
#include "engine/engine_decoder.h"
#include "model/batch.h"
#include "model/torch_step_decoder.h"

namespace trivium {
namespace {

class TorchBackend : public Backend {
 public:
  explicit TorchBackend(Seq2SeqModel model) : model_(std::move(model)) {}

  const ModelConfig& config() const override { return model_->config(); }

  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes,
                                     int64_t /*places*/, int64_t /*positions*/) override {
    const torch::Device device = model_->shared_weight().device();
    const SourceBatch source = collate_sources(sources, config().pad_token_id);
    return std::make_unique<TorchStepDecoder>(model_, source.ids.to(device), source.mask.to(device),
                                              routing_weights(routes, config(), device));
  }

 private:
  Seq2SeqModel model_;
};

int64_t step_bytes_of(const Engine& engine) { return engine.weights().step_bytes(); }
int64_t step_bytes_of(const CudaEngine& engine) { return engine.step_bytes(); }
std::string device_name_of(const Engine&) { return ""; }
std::string device_name_of(const CudaEngine& engine) { return engine.device_name(); }

// AnyEngine: Engine, or CudaEngine.
template <typename AnyEngine, typename Decoder>
class EngineBackend : public Backend {
 public:
  EngineBackend(const ModelConfig& config, const EngineOptions& options, const TensorReader& read)
      : engine_(config, options, read) {}

  const ModelConfig& config() const override { return engine_.config(); }
  int64_t step_bytes() const override { return step_bytes_of(engine_); }
  std::string device_name() const override { return device_name_of(engine_); }

  bool batches_continuously() const override { return kContinuous; }

  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes,
                                     [[maybe_unused]] int64_t places, int64_t positions) override {
    std::vector<EngineSource> queue;
    for (size_t i = 0; i < sources.size(); ++i) queue.push_back({sources[i], routes[i]});
    if constexpr (kContinuous) {
      return std::make_unique<Decoder>(engine_, std::move(queue), places, positions);
    } else {
      return std::make_unique<Decoder>(engine_, queue, positions);
    }
  }

 private:
  // CudaDecoder takes in all of its sources at once.
  static constexpr bool kContinuous = std::is_same_v<Decoder, EngineDecoder>;
  AnyEngine engine_;
};

}  // namespace

std::shared_ptr<Backend> torch_backend(Seq2SeqModel model) {
  return std::make_shared<TorchBackend>(std::move(model));
}

std::shared_ptr<Backend> engine_backend(const ModelConfig& config, const EngineOptions& options,
                                        const TensorReader& read) {
  if (options.cuda_device >= 0) {
    return std::make_shared<EngineBackend<CudaEngine, CudaDecoder>>(config, options, read);
  }
  return std::make_shared<EngineBackend<Engine, EngineDecoder>>(config, options, read);
}

}  // namespace trivium
