#include "core/analysis/routes_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/analysis/toy_routes.h"
#include "core/base/json.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const size_t from = page.find(begin) + begin.size();
  return page.substr(from, page.find("</script>", from) - from);
}

TEST(RoutesPageTest, HoldsEveryTaskAndWeight) {
  const RouteDump dump = toy_routes();
  const std::string page = routes_page("Routes of it", {{"now", dump}});
  EXPECT_THAT(page, HasSubstr("<h1>Routes of it</h1>"));
  const Json data = Json::parse(data_of(page));
  ASSERT_EQ(data.at("tasks").size(), dump.tasks.size());
  for (size_t i = 0; i < dump.tasks.size(); ++i) {
    EXPECT_EQ(data["tasks"][i]["name"], dump.tasks[i].task);
    EXPECT_EQ(data["tasks"][i]["family"], dump.tasks[i].family);
    for (size_t c = 0; c < dump.columns(); ++c) {
      EXPECT_NEAR(data["frames"][0]["likely"][i][c].get<double>() / 1e4, dump.tasks[i].likely[c],
                  5e-5);
      EXPECT_NEAR(data["frames"][0]["used"][i][c].get<double>() / 1e4, dump.tasks[i].used[c], 5e-5);
    }
  }
  EXPECT_EQ(data["places"], Json({"encoder 2", "decoder 1"}));
  EXPECT_THAT(page, Not(HasSubstr("id=\"play\"")));
}

TEST(RoutesPageTest, NeedsNoNetwork) {
  const std::string page = routes_page("t", {{"now", toy_routes()}});
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
  // The only address is the name of SVG's language.
  EXPECT_EQ(page.find("http:"), page.rfind("http:"));
}

TEST(RoutesPageTest, NamesCannotBecomeMarkup) {
  RouteDump dump = toy_routes(2);
  dump.tasks[0].task = "</script><script>alert(1)//";
  dump.tasks[1].family = "<img onerror=alert(1)>&";
  const std::string page = routes_page("<b>t</b>", {{"</script>", dump}, {"now", dump}});
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  const Json data = Json::parse(data_of(page));
  EXPECT_EQ(data["tasks"][0]["name"], dump.tasks[0].task);
  EXPECT_EQ(data["frames"][0]["label"], "</script>");
}

TEST(RoutesPageTest, PlaysSeveralMomentsOfTheSameTasks) {
  RouteDump before = toy_routes();
  before.tasks[0].likely = std::vector<float>(6, 1.0f / 3);
  const std::string page = routes_page("t", {{"step 0", before}, {"step 9", toy_routes()}});
  EXPECT_THAT(page, HasSubstr("id=\"play\""));
  EXPECT_THAT(page, HasSubstr("prefers-reduced-motion"));
  const Json data = Json::parse(data_of(page));
  ASSERT_EQ(data["frames"].size(), 2u);
  EXPECT_EQ(data["frames"][0]["likely"][0][0], 3333);
  EXPECT_EQ(data["frames"][1]["label"], "step 9");
  EXPECT_THAT(error_of([&] {
                routes_page("t", {{"step 0", toy_routes(4)}, {"step 9", before}});
              }),
              StartsWith("65: step 0 has other tasks"));
}

}  // namespace
}  // namespace trivium
