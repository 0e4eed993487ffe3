#include "core/base/enum_names.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

enum class Fruit { kApple, kPear, kPlum };

const EnumNames<Fruit> kFruits = {{"apple", Fruit::kApple}, {"pear", Fruit::kPear}};

TEST(EnumNamesTest, GoBothWaysInTheOrderOfTheTable) {
  EXPECT_EQ(names_of(kFruits), (std::vector<std::string>{"apple", "pear"}));
  EXPECT_EQ(name_in(kFruits, Fruit::kPear), "pear");
  EXPECT_EQ(value_in(kFruits, "apple"), Fruit::kApple);
}

TEST(EnumNamesTest, WhatTheTableLacksIsABug) {
  EXPECT_THROW(name_in(kFruits, Fruit::kPlum), std::logic_error);
  EXPECT_THROW(value_in(kFruits, "plum"), std::logic_error);
  EXPECT_THROW(value_in(kFruits, "Apple"), std::logic_error);
  EXPECT_THROW(value_in(kFruits, ""), std::logic_error);
}

}  // namespace
}  // namespace trivium
