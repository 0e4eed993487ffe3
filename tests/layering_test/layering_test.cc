#include "layering_test/layering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "layering_test/size_limits.h"
#include "layering_test/source_tree.h"

namespace trivium {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

const SourceFile kBaseCmake = {"src/base/CMakeLists.txt",
                               "trivium_library(base SOURCES error.cc DEPS spdlog::spdlog)\n"};
const SourceFile kMetricsCmake = {
    "src/metrics/CMakeLists.txt",
    "trivium_library(metrics\n  SOURCES f1.cc\n  DEPS trivium_base)\n"};

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
  EXPECT_THAT(paths, testing::IsSupersetOf({"CMakeLists.txt", "src/base/error.h", "tools/setup",
                                            "src/kernels/cuda/grouped_linear.cu",
                                            "tests/layering_test/layering.cc"}));
}

// --- That the checks can fail

TEST(LayeringTest, AcceptsAGoodTree) {
  EXPECT_THAT(layering_violations({kBaseCmake,
                                   kMetricsCmake,
                                   {"src/metrics/f1.cc",
                                    "#include \"metrics/f1.h\"\n\n#include <unicode/uchar.h>\n\n"
                                    "#include \"base/error.h\"\n"},
                                   {"src/metrics/f1.h", "#pragma once\n"},
                                   {"src/main.cc", "#include \"commands/command.h\"\n"},
                                   {"tests/metrics/f1_test.cc", "#include \"model/layers.h\"\n"}}),
              IsEmpty());
}

TEST(LayeringTest, FindsAnIncludeAgainstTheDirection) {
  EXPECT_THAT(
      layering_violations(
          {kBaseCmake, {"src/base/error.cc", "\n#include \"metrics/f1.h\"\n"}, kMetricsCmake}),
      testing::Contains("src/base/error.cc:2: base may not include from metrics"));
}

TEST(LayeringTest, FindsAnIncludeBetweenNeighbours) {
  EXPECT_THAT(
      layering_violations({{"src/tokenizers/trie.h", "#include <metrics/f1.h>\n"}}),
      testing::Contains("src/tokenizers/trie.h:1: tokenizers may not include from metrics"));
}

TEST(LayeringTest, FindsLibTorchWhereItMayNotBe) {
  EXPECT_THAT(layering_violations({{"src/kernels/cpu/gemm.cc", "  # include <ATen/ATen.h>\n"}}),
              ElementsAre("src/kernels/cpu/gemm.cc:1: kernels may not include LibTorch"));
  EXPECT_THAT(layering_violations({{"src/model/layers.cc", "#include <torch/torch.h>\n"}}),
              IsEmpty());
  EXPECT_THAT(
      layering_violations({{"src/data/CMakeLists.txt",
                            "trivium_library(data SOURCES a.cc PRIVATE_DEPS trivium_torch)"}}),
      ElementsAre("src/data/CMakeLists.txt: data may not link LibTorch"));
}

TEST(LayeringTest, FindsALinkAgainstTheDirection) {
  const SourceFile base = {"src/base/CMakeLists.txt",
                           "trivium_library(base SOURCES a.cc) # not trivium_metrics\n"
                           "target_link_libraries(trivium_base PRIVATE trivium_metrics)"};
  EXPECT_THAT(layering_violations({base, kMetricsCmake}),
              ElementsAre("src/base/CMakeLists.txt: base may not link trivium_metrics"));
}

TEST(LayeringTest, FindsALinkToNothing) {
  EXPECT_THAT(layering_violations({{"src/metrics/CMakeLists.txt",
                                    "trivium_library(metrics SOURCES f1.cc DEPS trivium_bsae)"}}),
              ElementsAre("src/metrics/CMakeLists.txt: no room makes the library trivium_bsae"));
}

TEST(LayeringTest, FindsAnIncludeThatIsNotLinked) {
  EXPECT_THAT(
      layering_violations({kBaseCmake,
                           {"src/data/CMakeLists.txt", "trivium_library(data SOURCES gym.cc)"},
                           {"src/data/gym.cc", "#include \"base/error.h\"\n"}}),
      ElementsAre(HasSubstr("src/data/CMakeLists.txt does not name its library in DEPS")));
}

TEST(LayeringTest, FindsARoomThatIsNotInTheTable) {
  EXPECT_THAT(layering_violations({{"src/common/utils.h", ""}}),
              ElementsAre(HasSubstr("src/common is not a room")));
}

TEST(LayeringTest, FindsIncludesThatHideTheRoom) {
  EXPECT_THAT(layering_violations({{"src/base/file.cc", "#include \"file.h\"\n"}}),
              ElementsAre(HasSubstr("src/base/file.cc:1: include the project's headers as")));
  EXPECT_THAT(layering_violations({{"src/base/file.cc", "#include \"../model/layers.h\"\n"}}),
              ElementsAre(HasSubstr("src/base/file.cc:1: include the project's headers as")));
}

TEST(LayeringTest, FindsConditionsInHeaders) {
  EXPECT_THAT(layering_violations({{"src/kernels/gemm.h", "#pragma once\n#ifdef TRIVIUM_CUDA\n"}}),
              ElementsAre(HasSubstr("src/kernels/gemm.h:2: a header may not depend")));
  EXPECT_THAT(layering_violations({{"src/kernels/cpu/gemm.cc", "#if defined(__x86_64__)\n"}}),
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
  EXPECT_THAT(size_violations({{"src/tokenizers/tables.inc", repeat("1,\n", 900)}}), IsEmpty());
}

TEST(SizeTest, FindsLongFunctions) {
  const std::string begin = "namespace trivium {\n\nvoid f(int a,\n       int b) {\n";
  const std::string fits =
      begin + repeat("  g();\n\n", 28) + "  g();\n}\n\nint x;\n}  // namespace\n";
  EXPECT_THAT(size_violations({{"src/base/f.cc", fits}}), IsEmpty());
  const std::string too_long = begin + repeat("  g();\n", 60) + "}\n";
  EXPECT_THAT(size_violations({{"src/base/f.cc", too_long}}),
              ElementsAre("src/base/f.cc:3: a function of 63 lines; the limit is 60"));
  EXPECT_THAT(size_violations({{"src/kernels/cuda/f.cu", too_long}}), IsEmpty());
  EXPECT_THAT(size_violations({{"tests/base/f_test.cc", too_long}}), IsEmpty());
}

}  // namespace
}  // namespace trivium
