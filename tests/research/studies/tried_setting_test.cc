#include "research/studies/tried_setting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"
#include "learning/settings/train_settings.h"
#include "research/settings/experiment_settings.h"

namespace trivium::research {
namespace {

TEST(TriedSettings, AreANameAMethodAndItsChanges) {
  const TemporaryFolder folder;
  const std::vector<TriedSetting> tried = read_tried_settings(
      folder.write("tried.toml",
                   "[[tried]]\nname = \"cold\"\nmethod = \"learned\"\n"
                   "overrides = [\"model.temperature=0.3\", \"data.tasks=[\\\"a b\\\"]\"]\n"
                   "[[tried]]\nname = \"short\"\nmethod = \"average\"\n"
                   "overrides = [\"train.steps=1\"]\n"));
  ASSERT_EQ(tried.size(), 2u);
  EXPECT_EQ(tried[0].name, "cold");
  EXPECT_EQ(tried[0].method, "learned");
  EXPECT_THAT(tried[0].overrides,
              testing::ElementsAre("model.temperature=0.3", "data.tasks=[\"a b\"]"));
  EXPECT_EQ(tried[1].name, "short");
}

TEST(TriedSettings, MistakesAreRefusedWithFileAndLine) {
  const TemporaryFolder folder;
  const std::string head = "[[tried]]\nname = \"cold\"\nmethod = \"learned\"\n";
  const std::string tail = "overrides = [\"train.steps=1\"]\n";
  const auto message = [&](const std::string& text) -> std::string {
    try {
      read_tried_settings(folder.write("tried.toml", text));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kConfig);
      return error.what();
    }
    return "was read";
  };
  using testing::HasSubstr;
  EXPECT_THAT(message(""), HasSubstr("there is no [[tried]]"));
  EXPECT_THAT(message(head), HasSubstr("overrides: a tried setting changes something"));
  EXPECT_THAT(message(head + "overrides = []\n"), HasSubstr("tried.toml:4: overrides: "));
  EXPECT_THAT(message(head + "overrides = [\"=1\"]\n"), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(message(head + "steps = 1\n" + tail), HasSubstr("tried.toml:4: unknown key"));
  EXPECT_THAT(message("[[tried]]\nname = \"cold\"\n" + tail), HasSubstr("method: the key is mis"));
  EXPECT_THAT(message("[[tried]]\nname = \"../cold\"\nmethod = \"learned\"\n" + tail),
              HasSubstr("tried.toml:2: name: "));
  EXPECT_THAT(message(head + tail + head + tail), HasSubstr("tried.toml:6: name: a second"));
}

TEST(TriedSettings, ThoseOfTheQuickPresetLoad) {
  const std::filesystem::path source = TRIVIUM_SOURCE_DIR;
  TaskLevelSettings preset;
  load_settings(preset, source / "configs/task_level_quick.toml", {});
  const std::vector<TriedSetting> tried = read_tried_settings(source / preset.tried);
  EXPECT_EQ(tried.size(), 6u);
  for (const TriedSetting& setting : tried) {
    learning::TrainSettings settings;
    load_settings(settings, source / preset.methods_folder / (setting.method + ".toml"),
                  setting.overrides);
    if (setting.name == "learned_frozen") {
      EXPECT_TRUE(settings.freeze_routes);
    }
    if (setting.name == "learned_anneal") {
      EXPECT_EQ(settings.selection, SelectionKind::kSoftmax);
    }
  }
}

}  // namespace
}  // namespace trivium::research
