// What save_checkpoint writes of a model's routes.
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "learning/model/model_routes.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

TEST(SavedRoutesTest, AreTheModelsOwnAtItsTemperature) {
  for (const SelectionKind kind :
       {SelectionKind::kSoftmax, SelectionKind::kGumbelStraightThrough}) {
    TemporaryFolder folder;
    Checkpoint checkpoint = tiny_checkpoint(3, kind);
    save_checkpoint(checkpoint, folder.path() / "model");
    const OpenCheckpoint open = open_checkpoint(folder.path() / "model");
    EXPECT_EQ(open.info.routes, model_routes(checkpoint.model));
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_EQ(open.route(row), route_of_task(checkpoint.model, row, 1.0));
    }
    EXPECT_NE(open.route(0), open.route(1));
  }
}

}  // namespace
}  // namespace trivium::learning
