#include "cli/doctor/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "cli/doctor/installation.h"
#include "cli/doctor/machine.h"
#include "cli/doctor/self_test.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Sets a variable of the environment and puts back what it was.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    was_set_ = before != nullptr;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (was_set_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

class DoctorTest : public ::testing::Test {
 protected:
  TemporaryFolder temporary_;
  fs::path model_ = temporary_.path() / "model";
};

TEST_F(DoctorTest, TheSelfTestAnswersOnEveryInstructionSet) {
  save_checkpoint(tiny_checkpoint(), model_);
  const Finding finding = run_self_test(model_, 1);
  EXPECT_EQ(finding.health, Health::kOk) << finding.text;
  const Json& sets = finding.details.at("sets");
  ASSERT_EQ(sets.size(), available_instruction_sets().size());
  for (size_t i = 0; i < sets.size(); ++i) {
    EXPECT_EQ(sets[i].at("instruction_set"), name_of(available_instruction_sets()[i]));
    EXPECT_LT(sets[i].at("log_likelihood").get<double>(), 0);
    EXPECT_GT(sets[i].at("milliseconds").get<double>(), 0);
  }
}

TEST(SelfTestTest, AnotherTextOrLikelihoodFails) {
  const SetAnswer first{InstructionSet::kPortable, "yes", -2.0, 1};
  const auto judged = [&](const std::string& text, double likelihood, int64_t tokens) {
    return judge({first, {InstructionSet::kAvx2, text, likelihood, 1}}, tokens);
  };
  EXPECT_EQ(judged("yes", -2.0 + 0.9e-4, 1).health, Health::kOk);
  EXPECT_EQ(judged("yes", -2.0 + 2.9e-4, 3).health, Health::kOk) << "the bound is a token's";
  for (const Finding& finding : {judged("no", -2.0, 1), judged("yes", -2.0 - 1.1e-4, 1),
                                 judged("yes", std::numeric_limits<double>::quiet_NaN(), 1)}) {
    EXPECT_EQ(finding.health, Health::kFailed);
    EXPECT_EQ(finding.failure, ExitCode::kDiverged);
    EXPECT_EQ(finding.text, "the answer of avx2 is not that of portable");
    EXPECT_NE(finding.advice, "");
  }
}

TEST(SelfTestTest, NoNumberAnywhereFails) {
  const double nan = std::nan("");
  EXPECT_EQ(judge({{InstructionSet::kPortable, "yes", nan, 1}}, 1).health, Health::kFailed);
}

TEST_F(DoctorTest, ADamagedCheckpointFailsWithItsCodeAndIsNotAsked) {
  save_checkpoint(tiny_checkpoint(), model_);
  const fs::path file = model_ / "tasks.json";
  std::ofstream(file, std::ios::app) << " ";
  const Finding finding = examine_checkpoint(model_);
  EXPECT_EQ(finding.health, Health::kFailed);
  EXPECT_EQ(finding.failure, ExitCode::kBadModel);
  EXPECT_THAT(finding.text, HasSubstr("tasks.json"));
  std::vector<std::string> topics;
  examine_all(model_, 1, [&](const Finding& found) { topics.push_back(found.topic); });
  EXPECT_EQ(topics.back(), "checkpoint");
}

TEST(MachineTest, MemoryThatDoesNotHoldTheWeightsIsAWarning) {
  EXPECT_EQ(examine_memory(1).health, Health::kOk);
  const Finding finding = examine_memory(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(finding.health, Health::kWarning);
  EXPECT_THAT(finding.advice, HasSubstr("--compute int8"));
  EXPECT_GE(finding.details.at("total_bytes").get<int64_t>(),
            finding.details.at("available_bytes").get<int64_t>());
}

TEST(MachineTest, TheProcessorNamesWhatTheEngineTakes) {
  const Finding finding = examine_processor();
  EXPECT_EQ(finding.details.at("taken"), name_of(available_instruction_sets().back()));
  EXPECT_EQ(finding.details.at("instruction_sets").size(), available_instruction_sets().size());
}

TEST(MachineTest, ALocaleThatIsNotUtf8IsAWarning) {
  const Variable locale("LC_ALL", "C");
  EXPECT_EQ(examine_terminal().health, Health::kWarning);
  const Variable other("LC_ALL", "C.UTF-8");
  EXPECT_EQ(examine_terminal().health, Health::kOk);
}

TEST_F(DoctorTest, AHomeThatLacksAFolderIsAWarning) {
  const Variable home("TRIVIUM_HOME", temporary_.path().string());
  fs::create_directory(temporary_.path() / "prompts");
  const Finding finding = examine_home();
  EXPECT_EQ(finding.health, Health::kWarning);
  EXPECT_EQ(finding.text, temporary_.path().string() + ": no configs/, no checkpoints/");
}

TEST_F(DoctorTest, AHistoryThatCannotBeKeptIsAWarning) {
  const Variable good("XDG_STATE_HOME", (temporary_.path() / "state").string());
  EXPECT_EQ(examine_state_folder().health, Health::kOk);
  const Variable bad("XDG_STATE_HOME", temporary_.write("file", "x").string());
  EXPECT_EQ(examine_state_folder().health, Health::kWarning);
}

// The program in trivium-train's place.
class TrainTest : public DoctorTest {
 protected:
  void write_program(const std::string& text) const {
    std::ofstream(program_) << text;
    fs::permissions(program_, fs::perms::owner_all);
  }

  fs::path program_ = temporary_.path() / "train";
  Variable named_{"TRIVIUM_TRAIN", program_.string()};
};

TEST_F(TrainTest, WhereItIsMissingWhatNeedsItIsNamed) {
  const Finding finding = examine_train();
  EXPECT_EQ(finding.health, Health::kWarning);
  EXPECT_THAT(finding.text, HasSubstr("trivium-train"));
  EXPECT_THAT(finding.advice, HasSubstr("import"));
}

TEST_F(TrainTest, AScriptIsNotStarted) {
  const fs::path trace = temporary_.path() / "started";
  write_program("#!/bin/sh\ntouch '" + trace.string() + "'\n");
  const Finding finding = examine_train();
  EXPECT_EQ(finding.health, Health::kOk);
  EXPECT_THAT(finding.text, HasSubstr(program_.string()));
  EXPECT_FALSE(fs::exists(trace));
}

TEST_F(TrainTest, WhatMayNotBeExecutedFails) {
  write_program("#!/bin/sh\n");
  fs::permissions(program_, fs::perms::owner_read);
  EXPECT_EQ(examine_train().failure, ExitCode::kUnavailable);
}

TEST_F(TrainTest, AnotherProgramInItsPlaceFails) {
  fs::copy_file("/bin/true", program_);
  const Finding finding = examine_train();
  EXPECT_EQ(finding.health, Health::kFailed);
  EXPECT_THAT(finding.text, HasSubstr("does not run"));
}

}  // namespace
}  // namespace trivium::cli
