#include "core/routes/route_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

RouteDump dump_of(float weight) {
  return {{{true, 0}}, 2, 1, {{"a", "x", {weight, 1 - weight}, {1, 0}}}};
}

class RouteFileTest : public ::testing::Test {
 protected:
  std::vector<int64_t> steps(size_t most = 100) const {
    std::vector<int64_t> steps;
    for (const RouteMoment& moment : read_route_file(path_, most)) steps.push_back(moment.step);
    return steps;
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "run" / "routes.jsonl";
};

TEST_F(RouteFileTest, WritesAndReads) {
  RouteFile file(path_);
  file.add(0, dump_of(0.5f));
  file.add(20, dump_of(0.25f));
  const std::vector<RouteMoment> moments = read_route_file(path_, 10);
  ASSERT_EQ(moments.size(), 2u);
  EXPECT_EQ(moments[1].step, 20);
  EXPECT_EQ(moments[1].routes, dump_of(0.25f));
}

TEST_F(RouteFileTest, TruncatesWhatARunWritesAgain) {
  RouteFile file(path_);
  file.truncate_after(5);  // no file: nothing to do
  for (int64_t step : {0, 20, 40, 100}) file.add(step, dump_of(0.5f));
  const std::string whole = read_file(path_);
  file.truncate_after(40);
  EXPECT_THAT(steps(), ElementsAre(0, 20, 40));
  write_file_atomically(path_, whole.substr(0, whole.size() - 5));  // a crash has cut the line
  file.truncate_after(100);
  EXPECT_THAT(steps(), ElementsAre(0, 20, 40));
  file.truncate_after(-1);
  EXPECT_EQ(read_file(path_), "");
}

TEST_F(RouteFileTest, ThinsEvenly) {
  RouteFile file(path_);
  for (int64_t step = 0; step < 11; ++step) file.add(step, dump_of(0.5f));
  EXPECT_THAT(steps(3), ElementsAre(0, 5, 10));
  EXPECT_THAT(steps(2), ElementsAre(0, 10));
}

TEST_F(RouteFileTest, NamesTheBadLine) {
  RouteFile(path_).add(0, dump_of(0.5f));
  const std::string line = read_file(path_);
  write_file_atomically(path_, line + "{\"step\": 1}\n");
  EXPECT_THAT(error_of([&] { read_route_file(path_, 9); }),
              ::testing::AllOf(StartsWith("65: "), HasSubstr("routes.jsonl:2")));
  write_file_atomically(path_, "");
  EXPECT_THAT(error_of([&] { read_route_file(path_, 9); }), HasSubstr("holds no routes"));
  EXPECT_THAT(error_of([&] { read_route_file(folder_.path() / "none", 9); }), StartsWith("66: "));
}

}  // namespace
}  // namespace trivium
