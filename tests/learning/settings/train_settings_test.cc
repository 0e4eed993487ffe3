#include "learning/settings/train_settings.h"

#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"

namespace trivium::learning {
namespace {

template <typename T>
T load(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  TemporaryFolder folder;
  T settings;
  load_settings(settings, folder.write("settings.toml", toml), overrides);
  return settings;
}

// Their defaults are within their own ranges, and survive the round trip.
TEST(TrainSettingsTest, DefaultsRoundTrip) {
  TrainSettings train;
  const std::string train_toml = settings_to_toml(train);
  TrainSettings train_again = load<TrainSettings>(train_toml);
  EXPECT_EQ(settings_to_toml(train_again), train_toml);
  PretrainSettings pretrain;
  const std::string pretrain_toml = settings_to_toml(pretrain);
  PretrainSettings pretrain_again = load<PretrainSettings>(pretrain_toml);
  EXPECT_EQ(settings_to_toml(pretrain_again), pretrain_toml);
  TrainSettings changed = load<TrainSettings>(
      train_toml, {"train.learning_rate=0.25", "model.encoder_vanilla_layers=[0]", "run.output=x"});
  EXPECT_EQ(changed.optimiser.learning_rate, 0.25);
  EXPECT_EQ(changed.encoder_vanilla_layers, std::vector<int64_t>{0});
  EXPECT_EQ(changed.run.output, "x");
  EXPECT_NE(settings_to_toml(changed), train_toml);
}

}  // namespace
}  // namespace trivium::learning
