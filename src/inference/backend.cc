#include "inference/backend.h"

#include <utility>

#include "base/error.h"
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

class EngineBackend : public Backend {
 public:
  EngineBackend(const ModelConfig& config, const EngineOptions& options, const TensorReader& read)
      : engine_(config, options, read) {}

  const ModelConfig& config() const override { return engine_.config(); }
  int64_t step_bytes() const override { return engine_.weights().step_bytes(); }

  bool batches_continuously() const override { return true; }

  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes, int64_t places,
                                     int64_t positions) override {
    std::vector<EngineSource> queue;
    for (size_t i = 0; i < sources.size(); ++i) queue.push_back({sources[i], routes[i]});
    return std::make_unique<EngineDecoder>(engine_, std::move(queue), places, positions);
  }

 private:
  Engine engine_;
};

}  // namespace

std::shared_ptr<Backend> torch_backend(Seq2SeqModel model) {
  return std::make_shared<TorchBackend>(std::move(model));
}

bool engine_supports(const ModelConfig& config) { return config.token_experts.num_experts == 1; }

std::shared_ptr<Backend> engine_backend(const ModelConfig& config, const EngineOptions& options,
                                        const TensorReader& read) {
  if (!engine_supports(config)) {
    throw Error(ExitCode::kUnavailable,
                "the fast engine does not compute token gates; use --engine torch");
  }
  return std::make_shared<EngineBackend>(config, options, read);
}

}  // namespace trivium
