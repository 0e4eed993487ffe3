#include "learning/reference/fast_generator.h"

#include "learning/reference/torch_engine.h"

namespace trivium::learning {

TextGenerator fast_generator(const Checkpoint& checkpoint, const GeneratorOptions& options) {
  Seq2SeqModel model = checkpoint.model;
  if (!model->shared_weight().is_cpu()) {
    return torch_generator(model, checkpoint.tokenizer, options);
  }
  EngineOptions engine;
  engine.threads = at::get_num_threads();
  const TensorReader read = [tensors = model_tensors(model)](const std::string& name) {
    return as_host(tensors.at(name));
  };
  return TextGenerator(make_engine(checkpoint.config(), engine, read), checkpoint.tokenizer,
                       options);
}

}  // namespace trivium::learning
