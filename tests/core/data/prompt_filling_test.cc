#include "core/data/prompt_filling.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

PromptTemplate prompt_of(const std::string& input, const std::vector<std::string>& inputs) {
  Task task;
  task.name = "made_up";
  task.inputs = inputs;
  task.target = "label";
  return PromptTemplate({"plain", input, "", {}}, task, "test");
}

TEST(PromptFillingTest, ATextIsTheOnlyField) {
  const PromptTemplate prompt = prompt_of("is it good? {{text}}", {"text"});
  EXPECT_EQ(fields_of_text(prompt, " a film: great\n"), (Json{{"text", "a film: great"}}));
  EXPECT_EQ(fields_of_text(prompt, "Text: a film"), (Json{{"text", "a film"}}));
}

TEST(PromptFillingTest, TheTemplatesOwnWordsAreNoPartOfTheField) {
  const Json film = {{"text", "a film"}};
  EXPECT_EQ(fields_of_text(prompt_of("is it good? {{text}}", {"text"}), "Is it good? a film"),
            film);
  EXPECT_EQ(fields_of_text(prompt_of("is it good?{{sep}}{{text}}", {"text"}), "is it good? a film"),
            film);
  EXPECT_EQ(fields_of_text(prompt_of("is it good? {{text}}", {"text"}), "is it good?"),
            (Json{{"text", "is it good?"}}));
  const PromptTemplate behind = prompt_of("{{text}} Is it good?", {"text"});
  EXPECT_EQ(fields_of_text(behind, "a film is it good?"), film);
  EXPECT_EQ(fields_of_text(behind, "a film"), (Json{{"text", "a film"}}));
  const PromptTemplate bare = prompt_of("{{text}}", {"text"});
  EXPECT_EQ(fields_of_text(bare, "a film"), (Json{{"text", "a film"}}));
}

TEST(PromptFillingTest, NamedFieldsAreTakenApartInAnyOrder) {
  const PromptTemplate prompt =
      prompt_of("{{premise}} / {{hypothesis}}", {"premise", "hypothesis"});
  EXPECT_EQ(fields_of_text(prompt, "hypothesis : it rains\nPREMISE: subpremise: a"),
            (Json{{"hypothesis", "it rains"}, {"premise", "subpremise: a"}}));
}

TEST(PromptFillingTest, ATextThatDoesNotNameEveryFieldStaysAsItIs) {
  const PromptTemplate prompt =
      prompt_of("{{premise}} / {{hypothesis}}", {"premise", "hypothesis"});
  EXPECT_EQ(fields_of_text(prompt, "premise: it rains"), std::nullopt);
  EXPECT_EQ(fields_of_text(prompt, "so premise: a hypothesis: b"), std::nullopt);
  EXPECT_EQ(fields_of_text(prompt, "premise a hypothesis b"), std::nullopt);
  EXPECT_EQ(fields_of_text(prompt, ""), std::nullopt);
}

TEST(PromptFillingTest, ChoicesArePartedByBars) {
  const PromptTemplate prompt =
      prompt_of("{{question}}{{#choices}} {{text}}{{/choices}}", {"question", "choices"});
  EXPECT_EQ(fields_of_text(prompt, "question: who? choices: you | me |"),
            (Json{{"question", "who?"}, {"choices", {"you", "me"}}}));
}

}  // namespace
}  // namespace trivium
