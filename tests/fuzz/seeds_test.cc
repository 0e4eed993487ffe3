// Every fuzz target on every one of its seeds, tests/fuzz/seeds/TARGET/*, and on some changed ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/base/timing.h"
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

// What libFuzzer does thousands of times as long, and with a look at which lines run.
class Mutations {
 public:
  explicit Mutations(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string input = seed();
    for (uint64_t i = rng_.below(4) + 1; i > 0; --i) change(input);
    return input;
  }

 private:
  const std::string& seed() { return seeds_[rng_.below(seeds_.size())]; }

  // A place in `text` and a length from there.
  std::pair<size_t, size_t> range(const std::string& text) {
    const size_t begin = rng_.below(text.size() + 1);
    const size_t most = rng_.below(8) == 0 ? text.size() : 16;
    return {begin, std::min(rng_.below(most + 1), text.size() - begin)};
  }

  void change(std::string& input) {
    const auto [begin, length] = range(input);
    switch (rng_.below(5)) {
      case 0:
        if (begin < input.size()) input[begin] = static_cast<char>(rng_.below(256));
        break;
      case 1:
        if (begin < input.size()) input[begin] ^= static_cast<char>(1 << rng_.below(8));
        break;
      case 2:
        input.erase(begin, length);
        break;
      case 3:
        input.insert(rng_.below(input.size() + 1), input.substr(begin, length));
        break;
      default: {
        const std::string& other = seed();
        const auto [from, size] = range(other);
        input.replace(begin, length, other, from, size);
      }
    }
  }

  std::vector<std::string> seeds_;
  Rng rng_{1};
};

// 500 inputs, or as many as TRIVIUM_FUZZ_INPUTS says.
TEST_P(SeedsTest, AreReadOrRefusedWhereTheyAreChanged) {
  const char* asked = std::getenv("TRIVIUM_FUZZ_INPUTS");
  const int count = asked == nullptr ? 500 : std::atoi(asked);
  std::vector<std::string> texts;
  for (const auto& entry : fs::directory_iterator(seeds() / GetParam())) {
    texts.push_back(read_file(entry.path()));
  }
  std::sort(texts.begin(), texts.end());
  Mutations mutations(texts);
  for (int i = 0; i < count; ++i) {
    const std::string input = mutations.next();
    const auto start = std::chrono::steady_clock::now();
    ASSERT_NO_THROW(targets().at(GetParam())(input)) << i << ": " << input;
    ASSERT_LT(seconds_since(start), 5) << i << ": " << input;
  }
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
  const auto hungry = [] {
    const std::string text(size_t{40} << 20, 'x');
    EXPECT_EQ(text.back(), 'x');
  };
  EXPECT_THROW(may_refuse("", hungry), std::logic_error);
  EXPECT_NO_THROW(may_refuse(std::string(1 << 20, 'x'), hungry));
}

TEST(PartsTest, AreAsManyAsAsked) {
  using Parts = std::vector<std::string_view>;
  EXPECT_EQ(parts_of("a\n%%%%\nb\n%%%%\nc", 2), (Parts{"a", "b\n%%%%\nc"}));
  EXPECT_EQ(parts_of("a", 3), (Parts{"a", "", ""}));
}

}  // namespace
}  // namespace trivium::fuzz
