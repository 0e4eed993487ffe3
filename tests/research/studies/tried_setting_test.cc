#include "research/studies/tried_setting.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium::research {
namespace {

TEST(TriedSettingTest, IsANameAMethodAndItsChanges) {
  const TriedSetting setting =
      parse_tried_setting("cold:  learned model.temperature=0.3 train.tasks=[1,2]");
  EXPECT_EQ(setting.name, "cold");
  EXPECT_EQ(setting.method, "learned");
  EXPECT_EQ(setting.overrides,
            (std::vector<std::string>{"model.temperature=0.3", "train.tasks=[1,2]"}));
}

TEST(TriedSettingTest, RefusesAnythingElse) {
  for (const char* text : {"", "cold", "cold:", "cold: learned", "cold learned a=1",
                           ": learned a=1", "../cold: learned a=1"}) {
    EXPECT_THROW(parse_tried_setting(text), Error) << text;
  }
}

}  // namespace
}  // namespace trivium::research
