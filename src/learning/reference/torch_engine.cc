#include "learning/reference/torch_engine.h"

#include <utility>

#include "core/base/error.h"
#include "learning/model/batch.h"
#include "learning/model/model_routes.h"
#include "learning/model/torch_step_decoder.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {
namespace {

class TorchEngine : public Engine {
 public:
  explicit TorchEngine(Seq2SeqModel model) : model_(std::move(model)) {}

  const ModelConfig& config() const override { return model_->config(); }

  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes,
                                     int64_t /*places*/, int64_t /*positions*/) override {
    for (const TaskRoute* route : routes) {
      if (!route->own) continue;
      throw Error(ExitCode::kUnavailable,
                  "a task that was added has experts of its own, which LibTorch does not load; use "
                  "--engine fast");
    }
    const torch::Device device = model_->shared_weight().device();
    const SourceBatch source = collate_sources(sources, config().pad_token_id);
    return std::make_unique<TorchStepDecoder>(model_, source.ids.to(device), source.mask.to(device),
                                              routing_weights(routes, config(), device));
  }

 private:
  Seq2SeqModel model_;
};

}  // namespace

std::shared_ptr<Engine> torch_engine(Seq2SeqModel model) {
  return std::make_shared<TorchEngine>(std::move(model));
}

TextGenerator torch_generator(Seq2SeqModel model, std::shared_ptr<const Tokenizer> tokenizer,
                              const GeneratorOptions& options) {
  return TextGenerator(torch_engine(std::move(model)), std::move(tokenizer), options);
}

LoadedModel load_on_torch(const std::filesystem::path& folder, torch::Device device,
                          const GeneratorOptions& options) {
  const OpenCheckpoint open = open_checkpoint(folder);
  Seq2SeqModel model = load_checkpoint(folder).model;
  model->to(device);
  model->eval();
  return LoadedModel(folder, open, torch_engine(model), options);
}

}  // namespace trivium::learning
