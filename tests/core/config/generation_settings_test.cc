#include "core/config/generation_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/config/model_config.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Json small_config() {
  return {{"vocab_size", 100},
          {"max_position_embeddings", 64},
          {"d_model", 32},
          {"encoder_layers", 2},
          {"decoder_layers", 2},
          {"encoder_attention_heads", 4},
          {"decoder_attention_heads", 4},
          {"encoder_ffn_dim", 48},
          {"decoder_ffn_dim", 48}};
}

ModelConfig read(const Json& config, const std::optional<Json>& generation = std::nullopt) {
  return model_config_from_json(with_generation_settings(config, generation, "folder"), "c");
}

TEST(GenerationSettings, OldKeysCountWhereThereIsNoFile) {
  Json config = small_config();
  config["num_beams"] = 4;
  config["min_length"] = 5;
  config["max_length"] = 30;
  config["repetition_penalty"] = 1.2;
  const ModelConfig read_config = read(config);
  EXPECT_EQ(read_config.num_beams, 4);
  EXPECT_EQ(read_config.min_length, 5);
  EXPECT_EQ(read_config.max_length, 30);
  EXPECT_EQ(read_config.repetition_penalty, 1.2);
  EXPECT_EQ(read_config.forced_eos_token_id, 2) << "BartConfig's default";
}

TEST(GenerationSettings, WhatNobodySaysIsTransformersDefault) {
  const ModelConfig config = read(small_config());
  EXPECT_EQ(config.num_beams, 1);
  EXPECT_EQ(config.max_length, 21) << "20 tokens behind the start token";
  Json short_model = small_config();
  short_model["max_position_embeddings"] = 16;
  EXPECT_EQ(read(short_model).max_length, 16);
}

TEST(GenerationSettings, TheFileDecidesAlone) {
  Json config = small_config();
  config["num_beams"] = 4;
  config["no_repeat_ngram_size"] = 3;
  config["do_sample"] = true;
  config["force_bos_token_to_be_generated"] = true;
  const Json file = {{"eos_token_id", Json::array({2})},
                     {"bos_token_id", 0},
                     {"decoder_start_token_id", 2},
                     {"max_new_tokens", 7}};
  const ModelConfig read_config = read(config, file);
  EXPECT_EQ(read_config.num_beams, 1);
  EXPECT_EQ(read_config.no_repeat_ngram_size, 0);
  EXPECT_EQ(read_config.max_length, 8);
  EXPECT_EQ(read_config.forced_bos_token_id, -1);
  EXPECT_EQ(read_config.forced_eos_token_id, -1);
}

TEST(GenerationSettings, ABanOfTheEndTokenAloneIsNone) {
  Json config = small_config();
  config["bad_words_ids"] = {{2}, {5}, {2, 5}};
  EXPECT_EQ(read(config).bad_words_ids, (std::vector<std::vector<int32_t>>{{5}, {2, 5}}));
}

TEST(GenerationSettings, AConfigThatIsNoObjectIsRefused) {
  for (const char* text : {"[]", "5", "null"}) {
    EXPECT_EQ(
        error_of([&] { with_generation_settings(Json::parse(text), Json::object(), "folder"); }),
        "76: folder/config.json: must be a JSON object");
  }
}

TEST(GenerationSettings, RefusesByName) {
  const Json sound = {{"eos_token_id", 2}, {"decoder_start_token_id", 2}};
  EXPECT_EQ(error_of([&] { read(small_config(), sound); }), "");
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"eos_token_id", Json()},
                                                 {"eos_token_id", {2, 3}},
                                                 {"decoder_start_token_id", Json()},
                                                 {"decoder_start_token_id", 0},
                                                 {"do_sample", true},
                                                 {"diversity_penalty", 0.5},
                                                 {"guidance_scale", 2}}) {
    Json file = sound;
    file[key] = value;
    EXPECT_THAT(error_of([&] { read(small_config(), file); }),
                AllOf(StartsWith("76: "), HasSubstr(key)))
        << value.dump();
  }
  EXPECT_THAT(error_of([&] { read(small_config(), Json::array()); }),
              HasSubstr("generation_config.json"));
}

}  // namespace
}  // namespace trivium
