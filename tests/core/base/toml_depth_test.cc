#include "core/base/toml_depth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

std::string refusal(const std::string& text) {
  return error_of([&] { refuse_deep_toml(text, "f.toml"); });
}

std::string key_of(int parts, const std::string& part = "a") {
  std::string key = part;
  for (int i = 1; i < parts; ++i) key += "." + part;
  return key;
}

TEST(TomlDepth, RefusesKeysOfManyPartsWhereverTheyStand) {
  const std::string message = ": a key of more than 32 parts, with dots between them";
  EXPECT_EQ(refusal(key_of(32) + " = 1\n"), "");
  EXPECT_EQ(refusal(key_of(33) + " = 1\n"), "64: f.toml:1" + message);
  EXPECT_EQ(refusal("x = 1\n[" + key_of(100000) + "]\n"), "64: f.toml:2" + message);
  EXPECT_EQ(refusal("\n\nx = { " + key_of(40) + " = 1 }"), "64: f.toml:3" + message);
  EXPECT_EQ(refusal(key_of(40, "\"b\" ") + " = 1"), "64: f.toml:1" + message);
}

TEST(TomlDepth, TakesDotsElsewhere) {
  std::string numbers = "x = [1.0";
  for (int i = 0; i < 100; ++i) numbers += ", 2.5";
  const std::string dots(100, '.');
  EXPECT_EQ(refusal(numbers + "]\n"), "");
  EXPECT_EQ(refusal("# " + dots + "\nx = \"\\\"" + dots + "\"\ny = '" + dots + "'\n"), "");
  EXPECT_EQ(refusal("x = \"\"\"\n\"" + dots + "\n\"\"\"\ny = '''\n" + dots + "'''\n"), "");
  EXPECT_EQ(refusal("x = \"" + dots), "") << "toml++ says what is wrong there";
}

}  // namespace
}  // namespace trivium
