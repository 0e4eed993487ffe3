#include "learning/training/multi_task_stream.h"

#include <gtest/gtest.h>

#include "learning/training/toy_gym.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

bool same(const std::vector<EncodedExample>& a, const std::vector<EncodedExample>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const EncodedExample& x, const EncodedExample& y) {
                      return x.task == y.task && x.source == y.source && x.target == y.target;
                    });
}

TEST(MultiTaskStreamTest, GoesOnFromItsState) {
  for (Batching batching : {Batching::kHeterogeneous, Batching::kHomogeneous}) {
    auto stream = toy_stream(batching);
    for (int i = 0; i < 12; ++i) {
      auto restored = toy_stream(batching);
      restored->next_batch();  // wherever it stood
      restored->set_state(stream->state());
      EXPECT_TRUE(same(stream->next_batch(), restored->next_batch())) << "batch " << i;
      EXPECT_EQ(stream->state(), restored->state());
    }
  }
}

TEST(MultiTaskStreamTest, CountsSourcesAndTargets) {
  auto stream = toy_stream();
  size_t seen = 0;
  while (seen < 64) {
    size_t source = 0, target = 0;
    const auto batch = stream->next_batch();
    for (const EncodedExample& example : batch) {
      source = std::max(source, example.source.size());
      target = std::max(target, example.target.size());
    }
    EXPECT_LE(batch.size() * (source + target), 96u);
    seen += batch.size();
  }
  EXPECT_EQ(seen, 64u);
}

TEST(EncodeTrainingExamplesTest, RendersEncodesAndCutsTheTrainSplits) {
  TemporaryFolder folder;
  write_toy_gym(folder);
  const Gym gym(folder.path() / "gym");
  const PromptLibrary prompts(folder.path() / "prompts");
  const auto tokenizer = tiny_tokenizer();
  TrainSettings settings;
  auto examples = encode_training_examples(gym, prompts, {"second", "first"},
                                           {*tokenizer, /*decoder_start_id=*/2, 10, 64}, settings);
  ASSERT_EQ(examples.size(), 4u);
  EXPECT_EQ(examples[0].task, 0);
  EXPECT_EQ(examples[3].task, 1);
  EXPECT_EQ(tokenizer->decode(examples[0].source), "q a b c");
  EXPECT_EQ(tokenizer->decode(examples[0].target), "x");
  EXPECT_EQ(examples[1].source.size(), 10u);
  EXPECT_EQ(examples[1].source.back(), tokenizer->special().eos);
  settings.templates = TemplateUse::kAll;
  const ExampleEncoder longer = {*tokenizer, tokenizer->special().bos, 30, 64};
  examples = encode_training_examples(gym, prompts, {"first"}, longer, settings);
  EXPECT_EQ(tokenizer->decode(examples[0].source), "q a b c");
  EXPECT_EQ(tokenizer->decode(examples[1].source), "d e f g h i j k l m n o z");
  settings.examples_per_task = 1;
  EXPECT_EQ(encode_training_examples(gym, prompts, {"first"}, longer, settings).size(), 1u);
}

}  // namespace
}  // namespace trivium::learning
