#include "layering_test/layering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "layering_test/rooms.h"
#include "layering_test/size_limits.h"
#include "layering_test/source_tree.h"

namespace trivium {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

const SourceFile kBaseCmake = {"src/core/base/CMakeLists.txt",
                               "trivium_room(core/base\n  DEPS spdlog::spdlog)\n"};
const SourceFile kMetricsCmake = {"src/core/metrics/CMakeLists.txt",
                                  "trivium_room(core/metrics\n  DEPS trivium_core_base)\n"};

// --- This project's own files

TEST(ProjectTest, RoomsKnowOnlyTheRoomsThatTheyMay) {
  EXPECT_THAT(layering_violations(read_source_tree(TRIVIUM_SOURCE_DIR)), IsEmpty());
}

TEST(ProjectTest, FilesAndFunctionsAreShort) {
  EXPECT_THAT(size_violations(read_source_tree(TRIVIUM_SOURCE_DIR)), IsEmpty());
}

TEST(ProjectTest, TopLevelHoldsOnlyWhatBelongsThere) {
  const std::filesystem::path root = TRIVIUM_SOURCE_DIR;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    names.push_back(entry.path().filename().string());
  }
  const std::vector<SourceFile> files = read_source_tree(root);
  const auto gitignore = std::find_if(
      files.begin(), files.end(), [](const SourceFile& file) { return file.path == ".gitignore"; });
  ASSERT_NE(gitignore, files.end());
  EXPECT_THAT(top_level_violations(names, gitignore->text), IsEmpty());
}

TEST(ProjectTest, TheSourcesAreFoundAtAll) {
  std::vector<std::string> paths;
  for (const SourceFile& file : read_source_tree(TRIVIUM_SOURCE_DIR)) paths.push_back(file.path);
  EXPECT_THAT(paths,
              testing::IsSupersetOf({"CMakeLists.txt", "src/core/base/error.h", "tools/setup",
                                     "src/core/kernels/cuda/grouped_linear.cu",
                                     "tests/layering_test/layering.cc"}));
}

// --- The table itself

int height_of(const std::string& room) {
  const std::vector<std::string> areas = {"core/", "cli/", "learning/", "research/"};
  for (size_t area = 0; area < areas.size(); ++area) {
    if (room.rfind(areas[area], 0) == 0) return static_cast<int>(area);
  }
  return static_cast<int>(areas.size());  // the main files
}

TEST(RoomsTest, ARoomKnowsOnlyRoomsBeforeItAndNoHigherArea) {
  std::vector<std::string> before;
  for (const Room& room : rooms()) {
    for (const std::string& other : room.may_include) {
      EXPECT_THAT(before, testing::Contains(other)) << room.name;
      EXPECT_LE(height_of(other), height_of(room.name)) << room.name << " knows " << other;
    }
    EXPECT_THAT(before, testing::Not(testing::Contains(room.name))) << "twice in the table";
    before.push_back(room.name);
  }
}

TEST(RoomsTest, EveryRoomHasAFolder) {
  for (const Room& room : rooms()) {
    EXPECT_TRUE(
        std::filesystem::exists(std::filesystem::path(TRIVIUM_SOURCE_DIR) / "src" / room.name))
        << room.name;
  }
}

// --- That the checks can fail

std::vector<std::string> violations_of(const std::string& path, const std::string& text) {
  return layering_violations({{path, text}});
}

TEST(LayeringTest, AcceptsAGoodTree) {
  EXPECT_THAT(
      layering_violations({kBaseCmake,
                           kMetricsCmake,
                           {"src/core/metrics/f1.cc",
                            "#include \"core/metrics/f1.h\"\n\n#include <unicode/uchar.h>\n\n"
                            "#include \"core/base/error.h\"\n"},
                           {"src/core/metrics/f1.h", "#pragma once\n"},
                           {"src/main.cc", "#include \"cli/commands/commands.h\"\n"},
                           {"tests/core/f1_test.cc", "#include \"learning/model/layers.h\"\n"}}),
      IsEmpty());
}

TEST(LayeringTest, FindsAnIncludeAgainstTheDirection) {
  EXPECT_THAT(layering_violations({kBaseCmake,
                                   {"src/core/base/error.cc", "\n#include \"core/metrics/f1.h\"\n"},
                                   kMetricsCmake}),
              Contains("src/core/base/error.cc:2: core/base may not include from core/metrics"));
  EXPECT_THAT(violations_of("src/core/engine/cpu/a.cc", "#include \"cli/program/home.h\"\n"),
              Contains("src/core/engine/cpu/a.cc:1: core/engine may not include from cli/program"));
  EXPECT_THAT(violations_of("src/cli/repl/a.cc", "#include \"learning/model/device.h\"\n"),
              Contains("src/cli/repl/a.cc:1: cli/repl may not include from learning/model"));
  EXPECT_THAT(violations_of("src/learning/commands/a.cc", "#include \"research/studies/b.h\"\n"),
              Contains(HasSubstr("learning/commands may not include from research/studies")));
  EXPECT_THAT(violations_of("src/main.cc", "#include \"learning/commands/commands.h\"\n"),
              Contains("src/main.cc:1: main.cc may not include from learning/commands"));
}

TEST(LayeringTest, FindsAnIncludeBetweenNeighbours) {
  EXPECT_THAT(violations_of("src/core/tokenizers/trie.h", "#include <core/metrics/f1.h>\n"),
              Contains("src/core/tokenizers/trie.h:1: core/tokenizers may not include from "
                       "core/metrics"));
}

TEST(LayeringTest, FindsLibTorchWhereItMayNotBe) {
  for (const char* header : {"torch/torch.h", "ATen/ATen.h", "c10/core/Device.h"}) {
    const std::string include = "  # include <" + std::string(header) + ">\n";
    EXPECT_THAT(
        violations_of("src/core/kernels/cpu/gemm.cc", include),
        ElementsAre("src/core/kernels/cpu/gemm.cc:1: core/kernels may not include LibTorch"));
    EXPECT_THAT(violations_of("src/cli/commands/repl.cc", include),
                ElementsAre("src/cli/commands/repl.cc:1: cli/commands may not include LibTorch"));
    EXPECT_THAT(violations_of("src/main_train.cc", include), testing::SizeIs(1));
    EXPECT_THAT(violations_of("src/learning/model/layers.cc", include), IsEmpty());
    EXPECT_THAT(violations_of("src/research/studies/a.cc", include), IsEmpty());
  }
  EXPECT_THAT(violations_of("src/core/data/CMakeLists.txt",
                            "trivium_room(core/data PRIVATE_DEPS trivium_torch)"),
              ElementsAre("src/core/data/CMakeLists.txt: core/data may not link LibTorch"));
  EXPECT_THAT(violations_of("src/learning/model/CMakeLists.txt",
                            "trivium_room(learning/model DEPS trivium_torch)"),
              IsEmpty());
}

// The same in this project's own tree: one line more in any file of the core is found.
TEST(LayeringTest, FindsLibTorchInTheProjectsOwnCore) {
  std::vector<SourceFile> files = read_source_tree(TRIVIUM_SOURCE_DIR);
  const std::vector<std::string> before = layering_violations(files);
  for (SourceFile& file : files) {
    if (file.path == "src/core/engine/engine.h") file.text += "#include <torch/torch.h>\n";
  }
  EXPECT_THAT(before, testing::Not(Contains(HasSubstr("core/engine may not include LibTorch"))));
  EXPECT_THAT(layering_violations(files),
              Contains(HasSubstr("core/engine may not include LibTorch")));
}

TEST(LayeringTest, FindsCudasHeadersWhereTheyMayNotBe) {
  for (const char* header : {"cuda_runtime.h", "cuda_runtime_api.h", "cuda_bf16.h", "mma.h"}) {
    const std::string include = "#include <" + std::string(header) + ">\n";
    for (const char* path : {"src/core/kernels/attention.h", "src/core/engine/engine.cc",
                             "src/core/engine/cpu/cpu_engine.h", "src/cli/program/home.cc",
                             "src/learning/model/device.cc"}) {
      EXPECT_THAT(violations_of(path, include),
                  ElementsAre(std::string(path) +
                              ":1: only src/core/kernels/cuda and src/core/engine/cuda may "
                              "include CUDA"));
    }
    EXPECT_THAT(violations_of("src/core/kernels/cuda/check.h", include), IsEmpty());
    EXPECT_THAT(violations_of("src/core/engine/cuda/cuda_engine.cc", include), IsEmpty());
  }
  EXPECT_THAT(violations_of("src/core/engine/cpu/a.cc", "#include \"cuda_runtime.h\"\n"),
              ElementsAre(HasSubstr("may include CUDA")));
}

TEST(LayeringTest, FindsALinkAgainstTheDirection) {
  const SourceFile base = {"src/core/base/CMakeLists.txt",
                           "trivium_room(core/base) # not trivium_core_data\n"
                           "target_link_libraries(trivium_core_base PRIVATE trivium_core_metrics)"};
  EXPECT_THAT(
      layering_violations({base, kMetricsCmake}),
      ElementsAre("src/core/base/CMakeLists.txt: core/base may not link trivium_core_metrics"));
}

TEST(LayeringTest, FindsALinkToNothing) {
  EXPECT_THAT(violations_of("src/core/metrics/CMakeLists.txt",
                            "trivium_room(core/metrics DEPS trivium_core_bsae)"),
              ElementsAre("src/core/metrics/CMakeLists.txt: no room makes the library "
                          "trivium_core_bsae"));
}

TEST(LayeringTest, FindsAnIncludeThatIsNotLinked) {
  EXPECT_THAT(
      layering_violations({kBaseCmake,
                           {"src/core/data/CMakeLists.txt", "trivium_room(core/data)"},
                           {"src/core/data/gym.cc", "#include \"core/base/error.h\"\n"}}),
      ElementsAre(HasSubstr("src/core/data/CMakeLists.txt does not name its library in DEPS")));
}

TEST(LayeringTest, FindsARoomThatIsNotInTheTable) {
  EXPECT_THAT(violations_of("src/core/common/strings.h", ""),
              ElementsAre(HasSubstr("src/core/common is not a room")));
  EXPECT_THAT(violations_of("src/base/error.h", ""),
              ElementsAre(HasSubstr("src/base/error.h is not a room")));
  EXPECT_THAT(violations_of("src/tools.cc", ""), ElementsAre(HasSubstr("is not a room")));
  EXPECT_THAT(violations_of("src/core/base/CMakeLists.txt", "trivium_room(core/data)"),
              ElementsAre(HasSubstr("makes the room core/data in src/core/base")));
}

TEST(LayeringTest, FindsIncludesThatHideTheRoom) {
  for (const char* header : {"file.h", "../model/layers.h", "base/error.h"}) {
    EXPECT_THAT(
        violations_of("src/core/base/file.cc", "#include \"" + std::string(header) + "\"\n"),
        ElementsAre(HasSubstr("src/core/base/file.cc:1: include the project's headers as")));
  }
}

TEST(LayeringTest, FindsConditionsInHeaders) {
  EXPECT_THAT(violations_of("src/core/kernels/gemm.h", "#pragma once\n#ifdef TRIVIUM_CUDA\n"),
              ElementsAre(HasSubstr("src/core/kernels/gemm.h:2: a header may not depend")));
  EXPECT_THAT(violations_of("src/core/api/c.h", "#ifdef __cplusplus\nextern \"C\" {\n#endif\n"),
              IsEmpty());
  EXPECT_THAT(violations_of("src/core/api/c.h", "#ifdef __cplusplus_cli\n"), testing::SizeIs(1));
  EXPECT_THAT(violations_of("src/core/kernels/cpu/gemm.cc", "#if defined(__x86_64__)\n"),
              IsEmpty());
}

TEST(TopLevelTest, FindsWhatDoesNotBelongThere) {
  EXPECT_THAT(top_level_violations({"src", "README.md", ".ci", "build-asan", "scripts", "a.out"},
                                   "# built\n/build*/\n\n"),
              ElementsAre(HasSubstr("scripts"), HasSubstr("a.out")));
}

TEST(SizeTest, FindsLongFiles) {
  EXPECT_THAT(size_violations({{"tools/golden.py", repeat("x = 1\n", 500)}}), IsEmpty());
  EXPECT_THAT(size_violations({{"tools/golden.py", repeat("x = 1\n", 501)}}),
              ElementsAre("tools/golden.py: 501 lines; the limit is 500"));
  EXPECT_THAT(size_violations({{"src/core/tokenizers/tables.inc", repeat("1,\n", 900)}}),
              IsEmpty());
}

TEST(SizeTest, FindsLongFunctions) {
  const std::string begin = "namespace trivium {\n\nvoid f(int a,\n       int b) {\n";
  const std::string fits =
      begin + repeat("  g();\n\n", 28) + "  g();\n}\n\nint x;\n}  // namespace\n";
  EXPECT_THAT(size_violations({{"src/core/base/f.cc", fits}}), IsEmpty());
  const std::string too_long = begin + repeat("  g();\n", 60) + "}\n";
  EXPECT_THAT(size_violations({{"src/core/base/f.cc", too_long}}),
              ElementsAre("src/core/base/f.cc:3: a function of 63 lines; the limit is 60"));
  EXPECT_THAT(size_violations({{"src/core/kernels/cuda/f.cu", too_long}}), IsEmpty());
  EXPECT_THAT(size_violations({{"tests/core/base/f_test.cc", too_long}}), IsEmpty());
}

}  // namespace
}  // namespace trivium
