#include "learning/training/progress.h"

#include <gtest/gtest.h>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::learning {
namespace {

TEST(CurveFileTest, AddsAndForgetsPoints) {
  TemporaryFolder folder;
  const auto file = folder.path() / "run" / "metrics.csv";
  CurveFile curves(file);
  curves.truncate_after(5);  // nothing there
  EXPECT_FALSE(std::filesystem::exists(file));
  curves.add(10, {{"loss", 1.5}, {"learning_rate", 1e-4}});
  curves.add(20, {{"loss", 1.25}});
  curves.add(100, {{"loss", 1}});
  const std::string until_20 =
      "step,curve,value\n10,loss,1.5\n10,learning_rate,0.0001\n20,loss,1.25\n";
  EXPECT_EQ(read_file(file), until_20 + "100,loss,1\n");
  curves.truncate_after(20);
  EXPECT_EQ(read_file(file), until_20);
  folder.write("run/metrics.csv", until_20 + "10");  // a crash within "100,loss,1"
  curves.truncate_after(20);
  EXPECT_EQ(read_file(file), until_20);
  curves.truncate_after(0);
  EXPECT_EQ(read_file(file), "step,curve,value\n");
}

}  // namespace
}  // namespace trivium::learning
