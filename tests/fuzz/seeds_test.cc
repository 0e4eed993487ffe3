// Every fuzz target on every one of its seeds, tests/fuzz/seeds/TARGET/*.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, Target>& targets() {
  static const std::map<std::string, Target> all = {{"bpe", fuzz_bpe},
                                                    {"config", fuzz_config},
                                                    {"jsonl", fuzz_jsonl},
                                                    {"manifest", fuzz_manifest},
                                                    {"prompts", fuzz_prompts},
                                                    {"requests", fuzz_requests},
                                                    {"routes", fuzz_routes},
                                                    {"safetensors", fuzz_safetensors},
                                                    {"sentencepiece", fuzz_sentencepiece},
                                                    {"settings", fuzz_settings},
                                                    {"table", fuzz_table},
                                                    {"task_finder", fuzz_task_finder},
                                                    {"tasks", fuzz_tasks},
                                                    {"tensor_files", fuzz_tensor_files},
                                                    {"tokenizer_json", fuzz_tokenizer_json},
                                                    {"wordpiece", fuzz_wordpiece}};
  return all;
}

const fs::path& seeds() {
  static const fs::path path = fs::path(TRIVIUM_SOURCE_DIR) / "tests" / "fuzz" / "seeds";
  return path;
}

class SeedsTest : public ::testing::TestWithParam<std::string> {
 protected:
  // The files of another target are none of this one's.
  ~SeedsTest() override {
    for (const auto& entry : fs::directory_iterator(folder())) fs::remove_all(entry.path());
  }
};

TEST_P(SeedsTest, AreReadOrRefused) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(seeds() / GetParam())) {
    SCOPED_TRACE(entry.path().string());
    EXPECT_NO_THROW(targets().at(GetParam())(read_file(entry.path())));
    ++count;
  }
  EXPECT_GE(count, 3u) << "hardly any seeds";
}

std::vector<std::string> names_of_targets() {
  std::vector<std::string> names;
  for (const auto& [name, target] : targets()) names.push_back(name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Targets, SeedsTest, ::testing::ValuesIn(names_of_targets()),
                         [](const auto& target) { return target.param; });

TEST(SeedsFolderTest, HasATargetForEveryFolder) {
  for (const auto& entry : fs::directory_iterator(seeds())) {
    EXPECT_TRUE(targets().contains(entry.path().filename())) << entry.path();
  }
}

TEST(MayRefuseTest, FindsOtherErrorsAndHunger) {
  EXPECT_NO_THROW(may_refuse("", [] { throw Error(ExitCode::kBadData, "bad"); }));
  EXPECT_THROW(may_refuse("", [] { throw std::out_of_range("at"); }), std::out_of_range);
  EXPECT_THROW(may_refuse("", [] { std::string(size_t{40} << 20, 'x'); }), std::logic_error);
  EXPECT_NO_THROW(
      may_refuse(std::string(1 << 20, 'x'), [] { std::string(size_t{40} << 20, 'x'); }));
}

TEST(PartsTest, AreAsManyAsAsked) {
  using Parts = std::vector<std::string_view>;
  EXPECT_EQ(parts_of("a\n%%%%\nb\n%%%%\nc", 2), (Parts{"a", "b\n%%%%\nc"}));
  EXPECT_EQ(parts_of("a", 3), (Parts{"a", "", ""}));
}

}  // namespace
}  // namespace trivium::fuzz
