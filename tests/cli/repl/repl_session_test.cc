#include "cli/repl/repl_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ReplSessionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "trivium_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    save_checkpoint(tiny_checkpoint(), folder_ / "model");
    model_ = std::make_unique<LoadedModel>(folder_ / "model", EngineOptions{});
  }
  static void TearDownTestSuite() {
    model_.reset();
    fs::remove_all(folder_);
  }

  // What the session prints for `line`.
  std::string say(const std::string& line) {
    out_.str("");
    session_.run_line(line);
    return out_.str();
  }
  std::string error_of(const std::string& line) {
    try {
      session_.run_line(line);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
  // The first line that is printed of an answer.
  static std::string shown(const Answer& answer) {
    return answer.text.empty() ? "(an empty answer)" : first_line(sanitise(answer.text));
  }
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  static inline fs::path folder_;
  static inline std::unique_ptr<LoadedModel> model_;
  LineHistory history_{""};
  TerminalStyle style_{.width = 80, .utf8 = true, .colour = false};
  std::atomic<bool> stop_{false};
  std::ostringstream out_;
  ReplSession session_{*model_, history_, style_, ReplSession::Reader::kPerson, stop_, out_};
};

TEST_F(ReplSessionTest, AnswersShowsTheRouteAndSaysWhichTaskItTook) {
  const std::string text = say("a witty film");
  EXPECT_THAT(text, HasSubstr("nearest known task: sst2"));
  EXPECT_THAT(text, HasSubstr("route of sst2"));
  EXPECT_THAT(text, HasSubstr("expert 3   │"));
  EXPECT_THAT(text, HasSubstr("in each layer the task takes ███"));
  EXPECT_THAT(say("a dull movie"), Not(HasSubstr("in each layer")));  // the legend comes once
}

TEST_F(ReplSessionTest, GivesTheAnswerOfTheGenerator) {
  say("/route off");
  SearchOptions search = model_->generator().default_search();
  for (const int beams : {1, 3}) {
    search.num_beams = beams;
    say("/set num_beams=" + std::to_string(beams));
    say("/task gsm8k_answer");
    const ResolvedPrompt resolved = model_->resolve("gsm8k_answer", "how many pens are left");
    const Answer answer = model_->generator().generate({resolved.prompt}, search).at(0);
    EXPECT_EQ(first_line(say("how many pens are left")), shown(answer));
  }
}

TEST_F(ReplSessionTest, RanksTheAnswersOfATaskThatHasSome) {
  say("/route off");
  say("/task mnli");
  const std::string text = "premise: it rains hypothesis: it is wet";
  const ResolvedPrompt resolved = model_->resolve("mnli", text);
  const std::vector<double> scores =
      model_->generator().score({resolved.prompt}, {resolved.options}).at(0).log_likelihoods;
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  const std::string shown = say(text);
  EXPECT_EQ(first_line(shown), resolved.options[static_cast<size_t>(best)]);
  EXPECT_THAT(shown, HasSubstr("(of the task's answers: " + first_line(shown) + " "));
  // Where answers are drawn, the model writes.
  say("/set sample=true");
  EXPECT_THAT(say(text), Not(HasSubstr("of the task's answers")));
}

TEST_F(ReplSessionTest, SaysSoWhereNoTaskFits) {
  const std::string text = say("\xce\xb6\xce\xb6\xce\xb6");
  EXPECT_THAT(text, AllOf(HasSubstr("I am not sure what kind of task this is"),
                          HasSubstr("asks the nearest")));
  EXPECT_THAT(text, Not(HasSubstr("route of")));
  EXPECT_THAT(say("/why"), HasSubstr("No family of tasks is likely"));
  say("/task sst2");
  EXPECT_THAT(say("\xce\xb6\xce\xb6\xce\xb6"), HasSubstr("route of sst2"));
}

TEST_F(ReplSessionTest, TakesTheTaskThatIsNamed) {
  EXPECT_EQ(session_.prompt(), "auto › ");
  const std::string text = say("/task mnli");
  EXPECT_THAT(text, AllOf(HasSubstr("hypothesis follows"), HasSubstr("made up"),
                          HasSubstr("accuracy"), HasSubstr("premise: "),
                          HasSubstr("answers  entailment, neutral, contradiction")));
  EXPECT_EQ(session_.prompt(), "mnli › ");
  const std::string answer = say("premise: it rains hypothesis: wet");
  EXPECT_THAT(answer, AllOf(HasSubstr("route of mnli"), Not(HasSubstr("nearest"))));
  EXPECT_THAT(say("/why"), AllOf(HasSubstr("You named mnli"), HasSubstr("sst2")));
  EXPECT_THAT(say("/task auto"), HasSubstr("nearest of 3 tasks"));
  EXPECT_EQ(session_.prompt(), "auto › ");
  EXPECT_THAT(error_of("/task sts2"), HasSubstr("did you mean sst2"));
  EXPECT_EQ(session_.prompt(), "auto › ");
}

TEST_F(ReplSessionTest, ListsTasksByAFilter) {
  EXPECT_THAT(say("/tasks"), AllOf(HasSubstr("sst2"), HasSubstr("mnli"), HasSubstr("3 tasks")));
  EXPECT_THAT(say("/tasks MNLI"),
              AllOf(HasSubstr("mnli"), HasSubstr("1 task;"), Not(HasSubstr("sst2"))));
  EXPECT_THAT(say("/tasks xyz"), HasSubstr("contains \"xyz\""));
}

TEST_F(ReplSessionTest, PinsALayerAndShowsWhatChanged) {
  say("/route off");
  say("/task sst2");
  say("a witty film");
  const TaskRoute route = model_->route(0);
  const size_t taken = static_cast<size_t>(TaskRoute::main_expert(route.decoder[0]));
  const size_t other = (taken + 1) % 3;
  const std::string text = say("/pin dec.1=" + std::to_string(other + 1));
  EXPECT_THAT(text, HasSubstr("decoder 1: expert " + std::to_string(taken + 1) + " → expert " +
                              std::to_string(other + 1)));
  EXPECT_THAT(text, AllOf(HasSubstr("\nbefore: "), HasSubstr("\nnow:    ")));
  EXPECT_THAT(say("/pin"), HasSubstr("decoder 1 takes expert " + std::to_string(other + 1)));
  EXPECT_THAT(say("/route"), AllOf(HasSubstr("pinned"), HasSubstr("decoder: layer 1 takes expert " +
                                                                  std::to_string(other + 1))));
  // The answer is the one by that route.
  const ResolvedPrompt resolved = model_->resolve("sst2", "a witty film");
  const TaskRoute pinned = pinned_route(route, {{{true, 0}, other}});
  const std::vector<double> scores =
      model_->generator()
          .score({{resolved.prompt.text, pinned}}, {resolved.options})
          .at(0)
          .log_likelihoods;
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  EXPECT_EQ(first_line(say("a witty film")), resolved.options[static_cast<size_t>(best)]);
  // A second pin of the layer takes the first one's place; "off" brings the route back.
  EXPECT_THAT(say("/pin dec.1=" + std::to_string(taken + 1)),
              HasSubstr("decoder 1: expert " + std::to_string(other + 1) + " → expert " +
                        std::to_string(taken + 1)));
  EXPECT_THAT(say("/pin off"), HasSubstr("nothing changes"));
  EXPECT_THAT(say("/route"), Not(HasSubstr("pinned")));
  EXPECT_THAT(error_of("/pin enc.1=1"), HasSubstr("ordinary layer"));
}

// The REPL's defaults are those of generate: the checkpoint's.
TEST_F(ReplSessionTest, SearchesAsTheCheckpointSays) {
  ASSERT_EQ(model_->config().num_beams, 2);
  EXPECT_THAT(say("/set"), HasSubstr("num_beams=2 "));
  say("/route off");
  say("/task gsm8k_answer");
  const Answer answer = model_->generator()
                            .generate({model_->resolve("gsm8k_answer", "how many pens").prompt},
                                      model_->generator().default_search())
                            .at(0);
  EXPECT_EQ(first_line(say("how many pens")), shown(answer));
}

TEST_F(ReplSessionTest, TheHelpOfPinHasAnExampleThatWorks) {
  EXPECT_THAT(say("/pin off"), HasSubstr("no pins to remove"));
  const std::string help = say("/help pin");
  const size_t begin = help.find("Example: ");
  ASSERT_NE(begin, std::string::npos);
  const std::string example = help.substr(begin + 9, help.find('\n', begin) - begin - 9);
  EXPECT_EQ(example, "/pin enc.2=2 dec.1=2");
  EXPECT_EQ(error_of(example), "no error");
  EXPECT_THAT(say("/pin"), HasSubstr("decoder 1 takes expert 2"));
}

TEST_F(ReplSessionTest, ComparesRoutes) {
  const size_t differ = differing_layers(model_->route(0), model_->route(1)).size();
  ASSERT_GT(differ, 0u);
  EXPECT_THAT(say("/compare sst2 mnli"),
              HasSubstr("different experts in " + std::to_string(differ) + " of 3 layers"));
  EXPECT_THAT(say("/compare mnli mnli"), HasSubstr("the same expert in all 3 layers"));
  EXPECT_THAT(error_of("/compare sst2"), HasSubstr("name two tasks"));
  EXPECT_THAT(error_of("/compare sst2 mnlj"), HasSubstr("did you mean mnli"));
}

TEST_F(ReplSessionTest, ComparesAnswersToTheLastPrompt) {
  say("/route off");
  say("a witty film");
  const std::string text = say("/compare sst2 gsm8k_answer");
  const Answer answer = model_->generator()
                            .generate({model_->resolve("gsm8k_answer", "a witty film").prompt},
                                      model_->generator().default_search())
                            .at(0);
  EXPECT_THAT(
      text, AllOf(HasSubstr("same expert in all 3"), HasSubstr("sst2:"), HasSubstr("gsm8k_answer:"),
                  HasSubstr("negative (-"), HasSubstr(sanitise(answer.text.substr(0, 5)))));
}

TEST_F(ReplSessionTest, ScoresTextsAsAnswers) {
  EXPECT_THAT(error_of("/score a | b"), HasSubstr("no prompt yet"));
  say("a witty film");
  const Prompt prompt = model_->resolve("sst2", "a witty film").prompt;
  const std::vector<double> scores =
      model_->generator().score({prompt}, {{"a b", "c"}}).at(0).log_likelihoods;
  const std::string text = say("/score a b | c");
  char likelihood[32];
  std::snprintf(likelihood, sizeof likelihood, "%.2f  a b\n", scores[0]);
  EXPECT_THAT(text, HasSubstr(likelihood));
  EXPECT_EQ(text.find("a b") < text.find("  c\n"), scores[0] >= scores[1]) << "the likeliest first";
}

TEST_F(ReplSessionTest, DrawsAnewBySeed) {
  say("/route off");
  say("/task gsm8k_answer");
  say("/set sample=true max_length=30");
  say("how many pens are left");
  const std::string again = say("/regen");
  EXPECT_THAT(again, HasSubstr("(seed=1)"));
  SearchOptions search = model_->generator().default_search();
  search.num_beams = 1;
  search.sample = true;
  search.max_length = 30;
  search.seed = 1;
  const ResolvedPrompt resolved = model_->resolve("gsm8k_answer", "how many pens are left");
  const Answer answer = model_->generator().generate({resolved.prompt}, search).at(0);
  EXPECT_THAT(again, HasSubstr(shown(answer)));
}

TEST_F(ReplSessionTest, ChangesTheSearchOrNothing) {
  EXPECT_THAT(say("/set max_length=3 sample=true"),
              AllOf(HasSubstr("max_length=3 "), HasSubstr("sample=true")));
  EXPECT_THAT(error_of("/set max_length=5 top_p=7"), HasSubstr("top_p"));
  EXPECT_THAT(error_of("/set max_length=1000"), HasSubstr("the model's 200 positions"));
  EXPECT_THAT(say("/set"), HasSubstr("max_length=3 "));
}

TEST_F(ReplSessionTest, StopsAnAnswerAndGoesOn) {
  say("/set max_length=40");
  stop_ = true;
  EXPECT_THAT(say("a witty film"), HasSubstr("(stopped)"));
  stop_ = false;
  EXPECT_THAT(say("a witty film"), Not(HasSubstr("(stopped)")));
}

TEST_F(ReplSessionTest, SurvivesHostileLines) {
  EXPECT_EQ(say(""), "");
  EXPECT_EQ(say("  \t "), "");
  EXPECT_THAT(say("//quit"), HasSubstr("route of"));
  EXPECT_FALSE(session_.wants_to_quit());
  std::string many_words;
  for (int i = 0; i < 1000; ++i) many_words += " x";
  const std::string text = say("\x1b]0;title\x07 \xFF film" + many_words);
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07"))));
  EXPECT_THAT(text, HasSubstr("and was cut"));
  EXPECT_THAT(error_of("/route sideways"), HasSubstr("full, brief or off"));
  EXPECT_THAT(error_of("/quit now"), HasSubstr("takes no argument"));
  say("/quit");
  EXPECT_TRUE(session_.wants_to_quit());
}

TEST_F(ReplSessionTest, ExplainsWhatIsNotThereYet) {
  EXPECT_THAT(error_of("/why"), HasSubstr("no prompt yet"));
  EXPECT_THAT(error_of("/route"), HasSubstr("no route to show yet"));
  EXPECT_THAT(say("/history"), HasSubstr("no lines yet"));
  EXPECT_THAT(say("/pin e2=1"), HasSubstr("1 pin from the next prompt on"));
}

TEST_F(ReplSessionTest, ShowsWhichExpertEachTokenTook) {
  EXPECT_THAT(error_of("/gates"), HasSubstr("has no token gates"));
  save_checkpoint(tiny_checkpoint(TinyModel::kTokenGates), folder_ / "gated");
  LoadedModel model(folder_ / "gated", EngineOptions{});
  ReplSession session(model, history_, style_, ReplSession::Reader::kPipe, stop_, out_);
  EXPECT_THROW(session.run_line("/gates"), Error);  // no prompt yet
  session.run_line("/task sst2");
  session.run_line("ab c");
  out_.str("");
  session.run_line("/gates");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("encoder layer"), HasSubstr("decoder layer"),
                                HasSubstr("##b"), HasSubstr("[CLS]")));
  EXPECT_THAT(out_.str(), Not(HasSubstr("   4")));  // experts are 1 to 3
}

TEST_F(ReplSessionTest, BannerFits) {
  style_.width = 40;
  const std::string banner = session_.banner();
  EXPECT_THAT(banner, HasSubstr("3 tasks"));
  const std::vector<std::string> lines = split(banner, '\n');
  for (size_t i = 1; i < lines.size(); ++i) EXPECT_LE(display_width(lines[i]), 40u) << lines[i];
  EXPECT_THAT(session_.banner(), HasSubstr("/help"));
}

}  // namespace
}  // namespace trivium::cli
