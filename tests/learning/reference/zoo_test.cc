// The whole of tests/golden/zoo: import, answers and log-likelihoods on both engines.
#include "core/tokenizers/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/engine/engine.h"
#include "core/inference/text_generator.h"
#include "core/routes/task_route.h"
#include "learning/reference/tensor_reader.h"
#include "learning/reference/torch_engine.h"
#include "learning/storage/hugging_face.h"
#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

using ::testing::HasSubstr;

// The rows that a case has of the weights that all share, with what it adds to single logits.
NamedTensors weights_of(const Zoo& zoo, const Json& zoo_case) {
  NamedTensors tensors = read_golden(zoo.weights());
  const auto rows = zoo_case.at("rows").get<int64_t>();
  torch::Tensor& tokens = tensors.at("model.shared.weight");
  tokens = tokens.slice(0, 0, rows).contiguous();
  torch::Tensor& bias = tensors.at("final_logits_bias");
  bias = bias.slice(1, 0, rows).clone();
  for (const auto& [token, value] : zoo_case.at("bias").items()) {
    bias[0][std::stol(token)] = value.get<float>();
  }
  return tensors;
}

std::string refusal_of(const TemporaryFolder& folder) {
  return error_of([&] { import_bart(folder.path(), {}); });
}

void expect_transformers(TextGenerator generator, const Zoo& zoo, const Json& zoo_case) {
  std::vector<Prompt> prompts;
  for (const std::string& text : zoo.prompts()) {
    prompts.push_back({text, dense_route(generator.config(), 0)});
  }
  const std::vector<Answer> answers = generator.generate(prompts, generator.default_search());
  const std::vector<std::vector<std::string>> options(prompts.size(), zoo.options());
  const auto scores = generator.score(prompts, options);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(answers[i].text, zoo_case.at("answers").at(i).get<std::string>()) << prompts[i].text;
    for (size_t o = 0; o < zoo.options().size(); ++o) {
      const auto expected = zoo_case.at("log_likelihoods").at(i).at(o).get<double>();
      EXPECT_NEAR(scores[i].log_likelihoods[o], expected, 1e-3 * (1 + std::fabs(expected)))
          << prompts[i].text;
    }
  }
}

TEST(Zoo, EveryFolderAnswersAsTransformersOrIsRefusedByName) {
  const Zoo zoo;
  int equal = 0, refused = 0;
  for (const Json& zoo_case : zoo.cases()) {
    if (zoo_case.value("bert", false)) continue;  // an encoder: TokenizerZoo has its ids
    SCOPED_TRACE(zoo_case.at("name").get<std::string>());
    const TemporaryFolder folder;
    zoo.write(zoo_case, folder);
    write_tensors(folder.path(), weights_of(zoo, zoo_case), StorageKind::kFloat32,
                  int64_t{1} << 40);
    if (zoo_case.contains("refused")) {
      EXPECT_THAT(refusal_of(folder), HasSubstr(zoo_case.at("refused").get<std::string>()));
      ++refused;
      continue;
    }
    Checkpoint checkpoint = import_bart(folder.path(), {});
    checkpoint.model->eval();
    const ModelConfig config = checkpoint.config();
    const std::shared_ptr<const Tokenizer> tokenizer = checkpoint.tokenizer;
    expect_transformers({make_engine(config, {}, reader_of(checkpoint.model)), tokenizer, {}}, zoo,
                        zoo_case);
    expect_transformers({torch_engine(checkpoint.model), tokenizer, {}}, zoo, zoo_case);
    ++equal;
  }
  EXPECT_GE(equal, 40);
  EXPECT_GE(refused, 10);
}

}  // namespace
}  // namespace trivium::learning
