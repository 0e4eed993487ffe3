#include "core/analysis/gates_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium {
namespace {

GateMap map_of(const std::string& task, std::vector<std::string> tokens) {
  GateMapStack stack{"encoder", std::move(tokens), {{0, 1}, {2, 0}}, {{0.5f, 0.25f}, {1, 0.75f}}};
  return {task, 3, {stack}};
}

TEST(GatesPage, NeedsNoScriptForTheFirstMapAndEscapesWhatItShows) {
  const std::string page =
      gates_page("Gates <of> me",
                 {{"a text", {map_of("sst2", {"<b>", "##ly"}), map_of("mnli", {"<b>", "##ly"})}}});
  EXPECT_THAT(page, testing::HasSubstr("<title>Gates &lt;of&gt; me</title>"));
  EXPECT_THAT(page, testing::HasSubstr("<span class=\"t e0\">&lt;b&gt;<sub>1</sub></span>"));
  EXPECT_THAT(page, testing::HasSubstr("<span class=\"t e2\">&lt;b&gt;<sub>3</sub></span>"));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("\"<b>\"")));  // in the data either
  EXPECT_THAT(page, testing::HasSubstr("\"probabilities\":[[500,250],[1000,750]]"));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("http://")));
}

TEST(GatesPage, MapsOfDifferentTokensAreAnError) {
  EXPECT_THROW(gates_page("x", {}), Error);
  EXPECT_THROW(gates_page("x", {{"a", {}}}), Error);
  EXPECT_THROW(gates_page("x", {{"a", {map_of("b", {"x", "y"}), map_of("c", {"x", "z"})}}}), Error);
}

}  // namespace
}  // namespace trivium
