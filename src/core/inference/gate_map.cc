#include "core/inference/gate_map.h"

#include <utility>

#include "core/base/error.h"

namespace trivium {
namespace {

// Has the engine log what gates choose, as long as it lives.
class GateLogging {
 public:
  explicit GateLogging(Engine& engine) : engine_(engine) { engine_.log_gates(&log_); }
  ~GateLogging() { engine_.log_gates(nullptr); }
  GateLogging(const GateLogging&) = delete;
  GateLogging& operator=(const GateLogging&) = delete;

  // What was logged since the last call.
  GateLog take() { return std::exchange(log_, {}); }

 private:
  Engine& engine_;
  GateLog log_;
};

GateMapStack empty_stack(const std::string& name, int64_t layers, const Tokenizer& tokenizer,
                         const std::vector<int32_t>& ids) {
  GateMapStack stack{name, {}, {}, {}};
  for (const int32_t id : ids) stack.tokens.push_back(tokenizer.token(id));
  stack.experts.resize(static_cast<size_t>(layers));
  stack.probabilities.resize(static_cast<size_t>(layers));
  return stack;
}

// Adds the choices of one pass through a stack: a log of as many entries as it has layers.
void add_pass(const GateLog& log, GateMapStack& stack) {
  check(log.size() == stack.experts.size(), "every layer has token gates");
  for (size_t layer = 0; layer < log.size(); ++layer) {
    for (const GateChoice& choice : log[layer]) {
      stack.experts[layer].push_back(choice.expert);
      stack.probabilities[layer].push_back(choice.probability);
    }
  }
}

}  // namespace

GateMap gate_map(Engine& engine, const Tokenizer& tokenizer, const std::vector<int32_t>& source,
                 const std::vector<int32_t>& decoder_input, int64_t gates,
                 const std::string& name) {
  const ModelConfig& config = engine.config();
  check(config.token_experts.num_experts > 1, "only token gates choose experts");
  GateMap map{name, config.token_experts.num_experts, {}};
  const TaskRoute route = dense_route(config, gates);
  GateLogging logging(engine);
  const std::vector<std::vector<int32_t>> sources = {source};
  const std::unique_ptr<StepDecoder> decoder =
      engine.start(sources, {&route}, 1, static_cast<int64_t>(decoder_input.size()));
  map.stacks.push_back(empty_stack("encoder", config.encoder_layers, tokenizer, source));
  add_pass(logging.take(), map.stacks.back());
  if (decoder_input.empty()) return map;
  map.stacks.push_back(empty_stack("decoder", config.decoder_layers, tokenizer, decoder_input));
  for (const int32_t token : decoder_input) {
    decoder->step({&token, 1});
    add_pass(logging.take(), map.stacks.back());
  }
  return map;
}

}  // namespace trivium
