#include "core/analysis/curve_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + ": " + error.what();
  }
  return "no error";
}

class CurvePlotTest : public ::testing::Test {
 protected:
  RunCurves read(const std::string& text) {
    return read_curves(folder_.write("metrics.csv", text), "run");
  }
  TemporaryFolder folder_;
};

TEST_F(CurvePlotTest, ReadsTheCurvesInTheirOrder) {
  const RunCurves run =
      read("step,curve,value\n10,loss,2.5\n10,rate,1e-3\n20,loss,nan\n20,rate,0.5\n30,loss,1\n");
  ASSERT_EQ(run.curves.size(), 2u);
  EXPECT_EQ(run.curves[0].name, "loss");
  const std::vector<std::pair<double, double>> expected = {{10, 2.5}, {30, 1}};
  EXPECT_EQ(run.curves[0].points, expected) << "what is no number is left out";
  EXPECT_EQ(run.curves[1].points.size(), 2u);
}

TEST_F(CurvePlotTest, DrawsEachPointInItsPlace) {
  const std::string svg =
      curves_svg({read("step,curve,value\n0,loss,4\n50,loss,1\n100,loss,2\n")}, {});
  EXPECT_THAT(svg, HasSubstr("points=\"66.0,34.0 245.0,180.0 424.0,131.3\""));
  EXPECT_THAT(svg, HasSubstr(">loss</text>"));
  EXPECT_THAT(svg, HasSubstr(">step 100</text>"));
  EXPECT_THAT(svg, HasSubstr("last 2<"));
}

TEST_F(CurvePlotTest, ACurveThatStaysLiesInTheMiddle) {
  EXPECT_THAT(curves_svg({read("step,curve,value\n0,loss,3\n10,loss,3\n")}, {}),
              HasSubstr("points=\"66.0,107.0 424.0,107.0\""));
}

TEST_F(CurvePlotTest, TheLargestNumbersAreDrawnToo) {
  EXPECT_THAT(curves_svg({read("step,curve,value\n0,a,1e308\n1,a,-1e308\n2,a,0\n")}, {}),
              HasSubstr("points=\"66.0,34.0 245.0,180.0 424.0,107.0\""));
}

TEST_F(CurvePlotTest, RunsShareThePanelsAndNamesAreEscaped) {
  RunCurves a = read("step,curve,value\n0,loss,3\n10,loss,1\n"), b = a;
  a.name = "a<b>";
  b.curves.push_back({"score", {{0, 1}}});
  const std::string svg = curves_svg({a, b}, {});
  EXPECT_THAT(svg, HasSubstr("a&lt;b&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("a<b>")));
  EXPECT_THAT(svg, HasSubstr("class=\"line c0\" points"));
  EXPECT_THAT(svg, HasSubstr("class=\"line c1\" points"));
  EXPECT_THAT(svg, HasSubstr(">score</text>"));
  EXPECT_THAT(curves_svg({a, b}, {"loss"}), Not(HasSubstr(">score</text>")));
}

TEST_F(CurvePlotTest, SaysWhatIsWrong) {
  EXPECT_THAT(error_of([&] { read("a,b\n1,2\n"); }), HasSubstr("metrics.csv:1: not the curves"));
  EXPECT_THAT(error_of([&] { read("step,curve,value\n1,loss\n"); }), HasSubstr("65: "));
  EXPECT_THAT(error_of([&] { read("step,curve,value\n1,loss,x\n"); }),
              HasSubstr("metrics.csv:2: "));
  EXPECT_THAT(error_of([&] { curves_svg({read("step,curve,value\n1,loss,2\n")}, {"los"}); }),
              HasSubstr("did you mean loss"));
  EXPECT_THAT(error_of([&] { read("step,curve,value\n"); }), HasSubstr("no curve to draw"));
}

}  // namespace
}  // namespace trivium
