#include "core/data/task_finder.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <tuple>

#include "core/base/temporary_folder.h"
#include "core/data/gym.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TaskFinder small_finder() {
  std::vector<TaskFinder::TaskTexts> tasks = {
      {"weather", {"will it rain today", "rain and wind today", "sun or rain today?"}},
      {"food", {"the soup is warm", "the soup was cold", "bread with the soup"}},
      {"numbers", {"7", "12", "40"}}};
  for (TaskFinder::TaskTexts& task : tasks) {
    for (int i = 0; i < 300; ++i) task.texts.push_back(task.texts[static_cast<size_t>(i % 3)]);
  }
  return TaskFinder::train(tasks);
}

TEST(TaskFinder, NamesTheTaskAndTheWordsThatDecided) {
  const std::vector<TaskGuess> guesses = small_finder().find("rain: today!", 2);
  ASSERT_EQ(guesses.size(), 2u);
  EXPECT_EQ(guesses[0].task, "weather");
  EXPECT_GT(guesses[0].probability, 0.7);
  ASSERT_GE(guesses[0].words.size(), 2u);
  std::vector<std::string> words = {guesses[0].words[0].first, guesses[0].words[1].first};
  std::sort(words.begin(), words.end());
  EXPECT_THAT(words, ElementsAre("\"rain\"", "\"today\""));
  EXPECT_GT(guesses[0].words[0].second, 0);
  EXPECT_EQ(small_finder().find("99", 1)[0].task, "numbers");
}

// Of two tasks with the same texts neither is likely by itself, but their family is.
TEST(TaskFinder, CountsATaskForItsFamily) {
  std::vector<TaskFinder::TaskTexts> tasks;
  for (const auto& [name, family, text] :
       {std::tuple("stars", "film", "a witty film"), std::tuple("thumbs", "film", "a witty film"),
        std::tuple("spam", "", "win money now"),
        std::tuple("genre", "film", "a novel of the sea")}) {
    tasks.push_back({name, std::vector<std::string>(200, text), family});
  }
  const TaskFinder finder = TaskFinder::train(tasks);
  const TaskGuess film = finder.find("a witty film", 1).at(0);
  EXPECT_EQ(film.family, "film");
  EXPECT_LT(film.probability, 0.8);
  EXPECT_GT(film.family_probability, 0.9);
  EXPECT_TRUE(TaskFinder::fits(film));
  const TaskGuess spam = finder.find("win money now", 1).at(0);
  EXPECT_EQ(spam.family, "spam");
  EXPECT_DOUBLE_EQ(spam.family_probability, spam.probability);
}

TEST(TaskFinder, ProbabilitiesSumToOneAndNothingKnownMeansAllAlike) {
  const TaskFinder finder = small_finder();
  for (const char* text : {"the rain in the soup today", "", "\xFF\xFE \x01"}) {
    double total = 0;
    for (const TaskGuess& guess : finder.find(text, 10)) total += guess.probability;
    EXPECT_NEAR(total, 1, 1e-9);
  }
  const std::vector<TaskGuess> guesses = finder.find("", 1);
  EXPECT_NEAR(guesses[0].probability, 1.0 / 3, 1e-9);
  EXPECT_FALSE(TaskFinder::fits(guesses[0]));
  EXPECT_THAT(describe_guesses(guesses), HasSubstr("0.33; no word of the prompt is telling"));
}

TEST(TaskFinder, DescribesItsGuesses) {
  EXPECT_EQ(
      describe_guesses({{"sst2", "sentiment", 0.831, 0.9, {{"\"film\"", 2}, {"\"dull\"", 1}}},
                        {"imdb", "sentiment", 0.11, 0.9, {}},
                        {"cola", "cola", 0.02, 0.02, {}}}),
      "nearest known task: sst2 (0.83, sentiment in all 0.90; words: \"film\", \"dull\"); next: "
      "imdb 0.11, cola 0.02");
  EXPECT_EQ(describe_guesses({}), "");
}

TEST(TaskFinder, SurvivesJson) {
  const TaskFinder finder = small_finder();
  const Json json = finder.to_json();
  const TaskFinder copy = TaskFinder::from_json(Json::parse(json.dump()), "tasks.json");
  EXPECT_EQ(copy.to_json(), json);
  EXPECT_EQ(describe_guesses(copy.find("rain in the soup")),
            describe_guesses(finder.find("rain in the soup")));
}

TEST(TaskFinder, RefusesMalformedJson) {
  const Json good = small_finder().to_json();
  const auto error_with = [&](const char* key, const Json& value) {
    Json json = good;
    json[key] = value;
    return error_of([&] { TaskFinder::from_json(json, "tasks.json"); });
  };
  EXPECT_EQ(error_with("version", 2), "");
  EXPECT_THAT(error_with("version", 1), StartsWith("76: tasks.json: "));
  EXPECT_THAT(error_with("tasks", Json::array()), StartsWith("76: tasks.json: "));
  EXPECT_THAT(error_with("tasks", {"one"}), HasSubstr("one family a task"));
  EXPECT_THAT(error_with("families", {"a", "b"}), HasSubstr("one family a task"));
  EXPECT_THAT(error_with("step", -1), HasSubstr("step"));
  EXPECT_THAT(error_with("step", nullptr), StartsWith("76: "));
  EXPECT_THAT(error_with("step", 1e308), HasSubstr("step"));
  EXPECT_THAT(error_with("version", 4294967298), HasSubstr("version"));
  EXPECT_THAT(error_with("tasks", {"a", "a", "b"}), HasSubstr("twice"));
  EXPECT_THAT(error_with("rows", {"P"}), HasSubstr("one row a task"));
  EXPECT_THAT(error_with("rows", {"PPP", "PPP", "PPP"}), HasSubstr("power of two"));
  EXPECT_THAT(error_with("rows", {"", "", ""}), HasSubstr("power of two"));
  EXPECT_THAT(error_with("rows", {"PPPP", "PPPP", "PP"}), HasSubstr("differ in length"));
  EXPECT_THAT(error_with("rows", {"\x7f\x7f", "PP", "PP"}), HasSubstr("out of range"));
  EXPECT_THAT(error_with("rows", {7, "PP", "PP"}), StartsWith("76: tasks.json: "));
  EXPECT_THAT(error_of([] { TaskFinder::from_json(Json::array(), "tasks.json"); }),
              StartsWith("76: "));
}

TEST(TaskFinder, TextsAreRenderedInTurnAndBare) {
  Task task;
  task.name = "sums";
  task.inputs = {"q", "choices"};
  task.target = "a";
  for (const char* q : {"1+1", "2+2", "3+3", "4+4", "5+5"}) {
    task.records[Split::kTrain].push_back({{{"q", q}, {"choices", {"2", "4"}}, {"a", "2"}}, "f"});
  }
  const std::vector<std::shared_ptr<const PromptTemplate>> templates = {
      std::make_shared<PromptTemplate>(TemplateSpec{"x", "x {{q}}", "", {}}, task, "t"),
      std::make_shared<PromptTemplate>(TemplateSpec{"y", "y {{q}}", "", {}}, task, "t")};
  const std::vector<std::string> texts = finder_texts(task, templates, "Sums.").texts;
  EXPECT_THAT(std::vector<std::string>(texts.end() - 7, texts.end()),
              ElementsAre("x 1+1", "1+1 2 4", "2+2 2 4", "3+3 2 4", "4+4 2 4", "y 5+5", "5+5 2 4"));
  EXPECT_EQ(texts[0], "Sums.");
  EXPECT_EQ(finder_texts(task, templates, "Sums.", 1).texts.size(), texts.size() - 5);
}

TEST(TaskFinder, ABareInputNamesTheRecordThatLacksAField) {
  const Record record{{{"q", "1+1"}, {"choices", {"2", "4"}}}, "f:7"};
  EXPECT_EQ(bare_input({"choices", "q"}, record), "2 4 1+1");
  EXPECT_EQ(error_of([&] { bare_input({"q", "r"}, record); }), "65: f:7: field \"r\" is missing");
}

// How many of the texts have the right task first, and among the first three.
struct Hits {
  size_t first = 0, third = 0, family = 0, kept = 0, kept_family = 0, total = 0;
  void add(const TaskFinder& finder, const std::string& text, const Task& of) {
    const std::string& task = of.name;
    const std::vector<TaskGuess> guesses = finder.find(text, 3);
    first += guesses[0].task == task;
    const bool right = guesses[0].task == task || guesses[0].family == of.family;
    family += right;
    kept += TaskFinder::fits(guesses[0]);
    kept_family += right && TaskFinder::fits(guesses[0]);
    third += std::any_of(guesses.begin(), guesses.end(),
                         [&](const TaskGuess& guess) { return guess.task == task; });
    ++total;
  }
  double share(size_t count) const {
    return static_cast<double>(count) / static_cast<double>(total);
  }
};

// Measures the finder on the dev inputs of the gym's seen tasks, many of which share their texts
// (sst2, sst5, sentence_polarity; sick_nli, sick_relatedness; ...), so that bare text cannot be
// perfect.
TEST(TaskFinder, FindsTheTasksOfTheGym) {
  const std::filesystem::path source = TRIVIUM_SOURCE_DIR;
  const std::filesystem::path gym_folder = source.parent_path() / "shared/gym";
  if (!std::filesystem::exists(gym_folder)) GTEST_SKIP() << "the gym folder shared/gym is not here";
  const Gym gym(gym_folder);
  const PromptLibrary prompts(source / "prompts");
  std::vector<TaskFinder::TaskTexts> texts;
  std::vector<Task> tasks;
  for (const std::string& name : gym.tasks_of("seen")) {
    tasks.push_back(gym.load_task(name));
    texts.push_back(finder_texts(tasks.back(), prompts.templates_of(tasks.back()),
                                 prompts.description_of(name)));
  }
  const TaskFinder finder = TaskFinder::train(texts);
  const size_t bytes = finder.to_json().dump().size();
  EXPECT_LT(bytes, 2u << 20);
  Hits rendered, bare;
  for (const Task& task : tasks) {
    const auto prompt = prompts.templates_of(task).front();
    const std::vector<Record>& dev = task.records.at(Split::kDev);
    for (const Record& record : std::vector<Record>(
             dev.begin(), dev.begin() + std::min<ptrdiff_t>(100, std::ssize(dev)))) {
      rendered.add(finder, prompt->render_input(record.fields), task);
      bare.add(finder, bare_input(task.inputs, record), task);
    }
  }
  std::printf("kept %.4f, of them family right %.4f; family of all %.4f\n", bare.share(bare.kept),
              static_cast<double>(bare.kept_family) / static_cast<double>(bare.kept),
              bare.share(bare.family));
  std::printf("%zu bytes; rendered: %.4f first, %.4f in three; bare: %.4f, %.4f (of %zu)\n", bytes,
              rendered.share(rendered.first), rendered.share(rendered.third),
              bare.share(bare.first), bare.share(bare.third), bare.total);
  EXPECT_GT(rendered.share(rendered.first), 0.99);
  EXPECT_GT(bare.share(bare.first), 0.78);
  EXPECT_GT(bare.share(bare.third), 0.93);
  EXPECT_GT(bare.share(bare.family), 0.83);
}

}  // namespace
}  // namespace trivium
