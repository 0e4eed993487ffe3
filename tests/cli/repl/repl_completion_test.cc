#include "cli/repl/repl_completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CompletionTest, CompletesCommandsAndTheirArguments) {
  const std::vector<std::string> tasks = {"mnli", "mrpc", "sst2"};
  EXPECT_THAT(complete_repl_line("/ta", tasks).choices, ElementsAre("/task", "/tasks"));
  EXPECT_EQ(complete_repl_line("/ta", tasks).replaced, 3u);
  EXPECT_THAT(complete_repl_line("/task m", tasks).choices, ElementsAre("mnli", "mrpc"));
  EXPECT_EQ(complete_repl_line("/task m", tasks).replaced, 1u);
  EXPECT_THAT(complete_repl_line("/task ", tasks).choices,
              ElementsAre("auto", "mnli", "mrpc", "sst2"));
  EXPECT_THAT(complete_repl_line("/compare mnli s", tasks).choices, ElementsAre("sst2"));
  EXPECT_THAT(complete_repl_line("/set num", tasks).choices, ElementsAre("num_beams="));
  EXPECT_THAT(complete_repl_line("/route f", tasks).choices, ElementsAre("full"));
  EXPECT_THAT(complete_repl_line("/help /p", tasks).choices, ElementsAre("/pin"));
  for (const char* text : {"", "m", "a film", "//ta", "/quit ", "/nothing x", " "}) {
    EXPECT_THAT(complete_repl_line(text, tasks).choices, IsEmpty()) << text;
  }
}

TEST(CompletionTest, CompletesFilesWhereACommandTakesOne) {
  const TemporaryFolder temporary;
  const std::string folder = temporary.path().string() + '/';
  std::filesystem::create_directory(folder + "talks");
  for (const char* name : {"talk one.jsonl", "tone.jsonl", ".hidden"}) {
    write_file_atomically(folder + name, "");
  }
  for (const char* command : {"/load ", "/save ", "/save! ", "/teach tone "}) {
    const Completion found = complete_repl_line(command + folder + "ta", {});
    EXPECT_THAT(found.choices, ElementsAre(folder + "talk one.jsonl", folder + "talks/"));
    EXPECT_EQ(found.replaced, folder.size() + 2) << command;
  }
  // A name with a space goes on as the same name.
  EXPECT_THAT(complete_repl_line("/load " + folder + "talk o", {}).choices,
              ElementsAre(folder + "talk one.jsonl"));
  EXPECT_THAT(complete_repl_line("/load " + folder, {}).choices,
              ElementsAre(folder + "talk one.jsonl", folder + "talks/", folder + "tone.jsonl"));
  EXPECT_THAT(complete_repl_line("/load " + folder + ".h", {}).choices,
              ElementsAre(folder + ".hidden"));
  EXPECT_THAT(complete_repl_line("/load " + folder + "none/x", {}).choices, IsEmpty());
  EXPECT_THAT(complete_repl_line("/teach " + folder, {}).choices, IsEmpty()) << "a name";
}

}  // namespace
}  // namespace trivium::cli
