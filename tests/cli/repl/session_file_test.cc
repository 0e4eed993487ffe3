#include "cli/repl/session_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;

class SessionFileTest : public ::testing::Test {
 protected:
  SessionFileTest() {
    save_checkpoint(tiny_checkpoint(), temporary_.path() / "model");
    model_.emplace(temporary_.path() / "model", EngineOptions{});
    conversation_.emplace(
        Conversation{*model_, model_->generator().default_search(), "", {}, {}, {}, {}});
  }

  StoredSession read(const std::string& text) {
    return read_session(temporary_.write("s.jsonl", text), *conversation_);
  }
  std::string error_of(const std::string& text) {
    try {
      read(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kBadData) << e.what();
      return e.what();
    }
    return "no error";
  }

  TemporaryFolder temporary_;
  std::optional<LoadedModel> model_;
  std::optional<Conversation> conversation_;
};

TEST_F(SessionFileTest, IsReadAsItWasWritten) {
  conversation_->task = "mnli";
  conversation_->search.sample = true;
  conversation_->search.num_beams = 1;
  conversation_->pins = {{{true, 0}, 2}, {{false, 1}, 0}};
  conversation_->exchanges.push_back({"a \"film\"\n\xC3\xA9", "sst2", TaskSource::kNearest,
                                      model_->route(0), "positive", -0.25, conversation_->search});
  const StoredSession stored = read(session_text(*conversation_));
  EXPECT_EQ(stored.task, "mnli");
  EXPECT_TRUE(stored.search.sample);
  ASSERT_EQ(stored.pins.size(), 2u);
  EXPECT_EQ(stored.pins[0].place, (LayerPlace{true, 0}));
  EXPECT_EQ(stored.pins[0].expert, 2u);
  ASSERT_EQ(stored.exchanges.size(), 1u);
  const Exchange& exchange = stored.exchanges[0];
  EXPECT_EQ(exchange.prompt, "a \"film\"\n\xC3\xA9");
  EXPECT_EQ(exchange.source, TaskSource::kNearest);
  EXPECT_EQ(exchange.route, model_->route(0));
  EXPECT_EQ(exchange.score, -0.25);
  conversation_->exchanges = stored.exchanges;
  EXPECT_EQ(session_text(*conversation_).find("\"pins\":[\"decoder.1=3\",\"encoder.2=1\"]"),
            session_text(*conversation_).find("\"pins\""));
}

TEST_F(SessionFileTest, RefusesWhatIsNoSessionOfTheModel) {
  const std::string head = R"({"trivium_session":1,"task":"","settings":{},"pins":[]})";
  EXPECT_EQ(error_of(head), "no error");
  EXPECT_THAT(error_of(""), HasSubstr("s.jsonl:1: is no session"));
  EXPECT_THAT(error_of("{}"), HasSubstr("s.jsonl:1: is no session"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("s.jsonl:1: is no session"));
  EXPECT_THAT(error_of("{"), HasSubstr("s.jsonl:1"));
  EXPECT_THAT(error_of(R"({"trivium_session":2,"task":"","settings":{},"pins":[]})"),
              HasSubstr("another version"));
  EXPECT_THAT(error_of(R"({"trivium_session":1,"settings":{},"pins":[]})"), HasSubstr("task"));
  EXPECT_THAT(error_of(R"({"trivium_session":1,"task":"sst3","settings":{},"pins":[]})"),
              HasSubstr("s.jsonl:1: the checkpoint knows no task"));
  EXPECT_THAT(error_of(R"({"trivium_session":1,"task":"","settings":{},"pins":["enc.9=1"]})"),
              HasSubstr("s.jsonl:1: the encoder has the layers"));
  EXPECT_THAT(
      error_of(R"({"trivium_session":1,"task":"","settings":{"max_length":4000},"pins":[]})"),
      HasSubstr("s.jsonl:1: max_length is at most the model's 200"));
  EXPECT_THAT(error_of(head + "\n\n"), HasSubstr("s.jsonl:2"));
  EXPECT_THAT(error_of(head + "\n" + std::string(5 << 20, ' ')), HasSubstr("s.jsonl:2"));
}

TEST_F(SessionFileTest, RefusesAWrongExchangeByItsLine) {
  conversation_->exchanges.push_back(
      {"p", "sst2", TaskSource::kNamed, model_->route(0), "a", -1, conversation_->search});
  const std::string good = session_text(*conversation_);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t place = text.find(from, text.find('\n'));
    return error_of(text.replace(place, from.size(), to));
  };
  EXPECT_THAT(changed("\"prompt\"", "\"prompd\""), HasSubstr("s.jsonl:2: unknown key"));
  EXPECT_THAT(changed("\"p\"", "7"), HasSubstr("s.jsonl:2"));
  EXPECT_THAT(changed("-1.0", "\"x\""), HasSubstr("s.jsonl:2"));
  EXPECT_THAT(changed("\"sst2\"", "\"sst9\""), HasSubstr("s.jsonl:2: the checkpoint knows no"));
  EXPECT_THAT(changed("\"p\"", "\"\""), HasSubstr("s.jsonl:2: the prompt is empty"));
  EXPECT_THAT(changed("\"named\"", "\"guessed\""), HasSubstr("task_source is named"));
  EXPECT_THAT(changed("[[1.0]", "[[7.0]"), HasSubstr("weights are from 0 to 1"));
  EXPECT_THAT(changed("[[1.0]", "[[\"x\"]"), HasSubstr("s.jsonl:2"));
  EXPECT_THAT(changed("\"decoder\"", "\"decodes\""), HasSubstr("unknown key \"decodes\""));
}

TEST_F(SessionFileTest, ReadsOrdinaryFilesOnly) {
  EXPECT_THROW(read_session(temporary_.path() / "nothing", *conversation_), Error);
  EXPECT_THROW(read_session(temporary_.path(), *conversation_), Error);
  EXPECT_THROW(read_session("/dev/zero", *conversation_), Error);
}

}  // namespace
}  // namespace trivium::cli
