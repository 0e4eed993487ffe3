// PromptTemplate, PromptLibrary, and the project's own prompts/ folder.
#include <gmock/gmock.h>

#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::filesystem::path kSource = TRIVIUM_SOURCE_DIR;
const std::filesystem::path kGym = kSource.parent_path() / "shared/gym";

Task colour_task() {
  Task task;
  task.name = "colour";
  task.inputs = {"thing"};
  task.target = "label";
  task.labels = {"0", "1"};
  return task;
}

TEST(PromptTemplate, PutsLabelsIntoWords) {
  const Task task = colour_task();
  const PromptTemplate words({"w", "colour of {{thing}}?", "", {{"0", "red"}, {"1", "green"}}},
                             task, "here");
  EXPECT_THAT(words.fixed_options(), ElementsAre("red", "green"));
  EXPECT_THAT(words.input_fields(), ElementsAre("thing"));
  const Example example = words.render(task, {{{"thing", "grass"}, {"label", "1"}}, "f:3"});
  EXPECT_EQ(example.input, "colour of grass?");
  EXPECT_THAT(example.targets, ElementsAre("green"));
  EXPECT_THAT(example.options, ElementsAre("red", "green"));
  EXPECT_EQ(example.task, "colour");
  EXPECT_EQ(example.where, "f:3");
  EXPECT_EQ(words.render_input({{"thing", "blood"}}), "colour of blood?");
}

TEST(PromptTemplate, WrapsEveryOptionInTheTarget) {
  const Task task = colour_task();
  const PromptTemplate prompt({"w", "{{thing}}", "it is {{label}}", {{"0", "red"}, {"1", "green"}}},
                              task, "here");
  EXPECT_THAT(prompt.fixed_options(), ElementsAre("it is red", "it is green"));
}

TEST(PromptTemplate, LearnsTheNearestNumberOfAScale) {
  Task task = colour_task();
  task.labels.clear();
  TemplateSpec spec = {"w", "how warm is {{thing}}?", "", {}};
  spec.numbers = NumberScale{0, 2, 0.5};
  const PromptTemplate prompt(spec, task, "here");
  EXPECT_THAT(prompt.fixed_options(), ElementsAre("0", "0.5", "1", "1.5", "2"));
  const Example example = prompt.render(task, {{{"thing", "tea"}, {"label", "1.3"}}, "f:1"});
  EXPECT_THAT(example.targets, ElementsAre("1.3"));
  EXPECT_EQ(example.to_learn(), "1.5");
  EXPECT_TRUE(example.options_are_numbers);
  EXPECT_EQ(prompt.render(task, {{{"thing", "tea"}, {"label", "-3"}}, "f:1"}).to_learn(), "0");
  EXPECT_THAT(error_of([&] {
                prompt.render(task, {{{"thing", "tea"}, {"label", "hot"}}, "f:1"});
              }),
              StartsWith("65: f:1: the target \"hot\" is not a number"));
  for (const NumberScale& scale : {NumberScale{0, 0, 1}, {0, 5, 0}, {0, 5, -1}, {0, 1000, 1}}) {
    spec.numbers = scale;
    EXPECT_THAT(error_of([&] { PromptTemplate(spec, task, "here"); }), StartsWith("64: here: "));
  }
  spec.numbers = NumberScale{0, 2, 1};
  EXPECT_THAT(error_of([&] { PromptTemplate(spec, colour_task(), "here"); }),
              HasSubstr("without labels"));
}

TEST(PromptTemplate, WritesAChoiceByItsLetter) {
  Task task = colour_task();
  task.labels.clear();
  task.inputs = {"thing", "choices"};
  const PromptTemplate prompt(
      {"w", "{{thing}}{{#choices}} ({{letter}}) {{text}}{{/choices}}", "{{letter}}", {}}, task,
      "here");
  const Example example = prompt.render(
      task, {{{"thing", "sky"}, {"choices", {"red", "blue", "green"}}, {"label", "blue"}}, "f:1"});
  EXPECT_EQ(example.input, "sky (A) red (B) blue (C) green");
  EXPECT_THAT(example.targets, ElementsAre("B"));
  EXPECT_THAT(example.options, ElementsAre("A", "B", "C"));
  std::vector<std::string> choices;
  for (int i = 0; i < 28; ++i) choices.push_back("c" + std::to_string(i));
  const Example many =
      prompt.render(task, {{{"thing", "sky"}, {"choices", choices}, {"label", "c26"}}, "f:2"});
  EXPECT_THAT(many.targets, ElementsAre("27"));
  EXPECT_THAT(many.input, HasSubstr("(Z) c25 (27) c26"));
}

TEST(PromptTemplate, WordsMayNameFields) {
  Task task = colour_task();
  task.inputs = {"first", "second"};
  const PromptTemplate prompt(
      {"w", "{{first}} or {{second}}?", "", {{"0", "{{first}}"}, {"1", "{{second}}"}}}, task,
      "here");
  EXPECT_THAT(prompt.fixed_options(), IsEmpty());
  const Example example =
      prompt.render(task, {{{"first", "tea"}, {"second", "milk"}, {"label", "1"}}, "f:1"});
  EXPECT_THAT(example.targets, ElementsAre("milk"));
  EXPECT_THAT(example.options, ElementsAre("tea", "milk"));
}

TEST(PromptTemplate, TakesOptionsFromChoicesAndAllAcceptedAnswers) {
  Task task = colour_task();
  task.labels.clear();
  task.inputs = {"thing", "choices"};
  task.accepted = "accepted";
  const PromptTemplate prompt({"w", "{{thing}}", "", {}}, task, "here");
  const Example example = prompt.render(task, {{{"thing", "sky"},
                                                {"choices", {"blue", "grey", "red"}},
                                                {"label", "blue"},
                                                {"accepted", {"blue ", "grey"}}},
                                               "f:1"});
  EXPECT_THAT(example.targets, ElementsAre("blue", "grey"));
  EXPECT_THAT(example.options, ElementsAre("blue", "grey", "red"));
}

TEST(PromptTemplate, RefusesTemplatesThatDoNotFitTheTask) {
  const Task task = colour_task();
  const auto error_for = [&](const TemplateSpec& spec) {
    return error_of([&] { PromptTemplate(spec, task, "here"); });
  };
  EXPECT_THAT(error_for({"w", "{{thin}}", "", {}}),
              AllOf(StartsWith("64: here: "), HasSubstr("did you mean thing")));
  EXPECT_THAT(error_for({"w", "{{thing}} {{label}}", "", {}}), HasSubstr("not an input field"));
  EXPECT_THAT(error_for({"w", "{{thing}}", "", {{"0", "red"}}}),
              HasSubstr("no words for label \"1\""));
  EXPECT_THAT(error_for({"w", "{{thing}}", "", {{"0", "a"}, {"1", "b"}, {"2", "c"}}}),
              HasSubstr("\"2\""));
  EXPECT_THAT(error_for({"w", "{{thing", "", {}}), StartsWith("64: here: "));
}

TEST(PromptTemplate, NamesThePlaceOfARecordItCannotRender) {
  const Task task = colour_task();
  const PromptTemplate prompt({"w", "{{thing}}", "", {}}, task, "here");
  EXPECT_THAT(error_of([&] {
                prompt.render(task, {{{"label", "1"}}, "f:3"});
              }),
              StartsWith("65: f:3: "));
  EXPECT_THAT(error_of([&] {
                prompt.render(task, {{{"thing", "x"}}, "f:3"});
              }),
              StartsWith("65: f:3: "));
  EXPECT_THAT(error_of([&] {
                prompt.render(task, {{{"thing", " "}, {"label", "1"}}, "f:3"});
              }),
              HasSubstr("input is empty"));
  EXPECT_THAT(error_of([&] { prompt.render_input(Json::object()); }), StartsWith("65: prompt: "));
}

TEST(PromptLibrary, ReadsFilesAndFallsBackToAPlainTemplate) {
  TemporaryFolder folder;
  folder.write("README.md", "not a template");
  folder.write(
      "colour.toml",
      "description = \"Colour.\"\nwords = { 0 = \"red\", 1 = \"green\" }\n"
      "[example]\nthing = \"coal\"\n"
      "[[template]]\nname = \"a\"\ninput = \"{{thing}}?\"\n"
      "[[template]]\nname = \"b\"\ninput = \"{{thing}}!\"\nwords = { 0 = \"R\", 1 = \"G\" }\n");
  const PromptLibrary library(folder.path());
  EXPECT_TRUE(library.has("colour"));
  EXPECT_EQ(library.description_of("colour"), "Colour.");
  EXPECT_EQ(library.example_of("colour"), Json({{"thing", "coal"}}));
  const auto templates = library.templates_of(colour_task());
  ASSERT_EQ(templates.size(), 2u);
  EXPECT_THAT(templates[0]->fixed_options(), ElementsAre("red", "green"));
  EXPECT_THAT(templates[1]->fixed_options(), ElementsAre("R", "G"));

  Task other = colour_task();
  other.name = "shape";
  EXPECT_FALSE(library.has("shape"));
  EXPECT_EQ(library.templates_of(other)[0]->render_input({{"thing", "ball"}}), "ball");
  other.inputs = {"thing", "choices"};
  EXPECT_EQ(
      library.templates_of(other)[0]->render_input({{"thing", "ball"}, {"choices", {"x", "y"}}}),
      "thing: ball\nchoices: (A) x (B) y");
}

TEST(PromptLibrary, NamesFileAndPlaceOfErrors) {
  TemporaryFolder folder;
  const auto error_for = [&](const std::string& text) {
    folder.write("colour.toml", text);
    return error_of([&] { PromptLibrary(folder.path()); });
  };
  EXPECT_THAT(error_for("description = \"x\"\n[[template]\n"),
              AllOf(StartsWith("64: "), HasSubstr("colour.toml:2")));
  EXPECT_THAT(error_for("description = \"x\"\n"), HasSubstr("no [[template]]"));
  EXPECT_THAT(error_for("[[template]]\nname = \"a\"\ninput = \"b\"\n"),
              HasSubstr("\"description\" is missing"));
  EXPECT_THAT(error_for("description = \"x\"\n[[template]]\nname = \"a\"\n"),
              HasSubstr("\"input\" is missing"));
  EXPECT_THAT(error_for("description = \"x\"\n[[template]]\nname = 1\ninput = \"b\"\n"),
              AllOf(HasSubstr("colour.toml:3"), HasSubstr("not text")));
  EXPECT_THAT(
      error_for("description = \"x\"\n[[template]]\nname = \"a\"\ninput = \"b\"\ninptu = \"c\"\n"),
      AllOf(HasSubstr("colour.toml:5"), HasSubstr("did you mean input")));
  EXPECT_THAT(error_for("description = \"x\"\n[[template]]\nname = \"a\"\ninput = \"b\"\n"
                        "[[template]]\nname = \"a\"\ninput = \"b\"\n"),
              HasSubstr("second template"));
  EXPECT_THAT(error_of([&] { PromptLibrary(folder.path() / "none"); }), StartsWith("66: "));
}

// The committed prompts: every file parses, even where there is no gym.
TEST(Prompts, EveryFileHasADescriptionAndAnExample) {
  const PromptLibrary library(kSource / "prompts");
  EXPECT_GE(library.task_names().size(), 83u);
  for (const std::string& name : library.task_names()) {
    EXPECT_FALSE(library.description_of(name).empty()) << name;
    EXPECT_FALSE(library.example_of(name).empty()) << name;
  }
}

TEST(Prompts, EveryGymTaskHasTemplatesThatRenderItsRecords) {
  if (!std::filesystem::exists(kGym)) GTEST_SKIP() << "the gym folder shared/gym is not here";
  const PromptLibrary library(kSource / "prompts");
  const Gym gym(kGym);
  size_t with_several = 0;
  for (const std::string& name : gym.task_names()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(library.has(name));
    const Task task = gym.load_task(name, 200);
    const auto templates = library.templates_of(task);
    with_several += templates.size() >= 3;
    for (const auto& prompt : templates) {
      SCOPED_TRACE(prompt->name());
      EXPECT_FALSE(prompt->render_input(library.example_of(name)).empty());
      for (const auto& [split, records] : task.records) {
        for (const Record& record : records) {
          const Example example = prompt->render(task, record);
          ASSERT_FALSE(example.targets.empty());
          if (example.options.empty()) continue;
          ASSERT_THAT(example.options, ::testing::Contains(example.to_learn()));
        }
      }
      // Exact string comparison of labels must not fail for a lower-casing tokenizer. A choice's
      // letter is shown in the prompt as it is.
      for (const std::string& option : prompt->fixed_options()) {
        if (option.size() > 1) {
          EXPECT_EQ(option, to_lower_ascii(option));
        }
      }
    }
  }
  EXPECT_GE(with_several, 20u);
}

}  // namespace
}  // namespace trivium
