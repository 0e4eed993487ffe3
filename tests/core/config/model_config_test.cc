#include "core/config/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;

Json small_config() {
  ModelConfig config;
  config.vocab_size = 100;
  config.d_model = 32;
  config.encoder_attention_heads = config.decoder_attention_heads = 4;
  return to_json(config);
}

// The message of the Error that `json` gives; "" where it is accepted.
std::string refusal(const Json& json) {
  try {
    model_config_from_json(json, "config.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kBadModel);
    return e.what();
  }
  return "";
}

std::string refusal_with(const char* key, const Json& value) {
  Json json = small_config();
  json[key] = value;
  return refusal(json);
}

std::string refusal_with_own(const char* key, const Json& value) {
  Json json = small_config();
  json["trivium"][key] = value;
  return refusal(json);
}

TEST(ModelConfig, RoundTripKeepsEveryField) {
  ModelConfig c;
  c.vocab_size = 30522;
  c.max_position_embeddings = 512;
  c.d_model = 384;
  c.encoder_layers = 5;
  c.decoder_layers = 2;
  c.encoder_attention_heads = 12;
  c.decoder_attention_heads = 6;
  c.encoder_ffn_dim = 1536;
  c.decoder_ffn_dim = 768;
  c.dropout = 0.2;
  c.attention_dropout = 0.3;
  c.activation_dropout = 0.4;
  c.init_std = 0.01;
  c.scale_embedding = true;
  c.pad_token_id = 0;
  c.bos_token_id = 101;
  c.eos_token_id = 102;
  c.decoder_start_token_id = 103;
  c.forced_bos_token_id = 101;
  c.forced_eos_token_id = -1;
  c.num_beams = 5;
  c.max_length = 20;
  c.no_repeat_ngram_size = 3;
  c.length_penalty = 2.0;
  c.early_stopping = EarlyStopping::kNever;
  c.min_length = 4;
  c.repetition_penalty = 1.2;
  c.bad_words_ids = {{5}, {6, 7}};
  c.suppress_tokens = {8};
  c.begin_suppress_tokens = {9, 10};
  c.layer_norm_eps = 1e-12;
  c.routing.num_experts = 3;
  c.routing.encoder_vanilla_layers = {0, 4};
  c.routing.decoder_vanilla_layers = {1};
  c.routing.selection = SelectionKind::kGumbelStraightThrough;
  c.routing.task_vector_dim = 7;
  c.routing.router_hidden_dim = 9;
  const Json json = to_json(c);
  EXPECT_EQ(model_config_from_json(json, "config.json"), c);
  EXPECT_EQ(model_config_from_json(parse_json(json.dump(), "config.json"), "config.json"), c);
  EXPECT_TRUE(json.at("forced_eos_token_id").is_null());
}

TEST(ModelConfig, ReadsAHubConfigWithForeignKeys) {
  const Json json = parse_json(R"({
    "activation_dropout": 0.1, "activation_function": "gelu", "add_bias_logits": false,
    "add_final_layer_norm": false, "architectures": ["BartModel"], "attention_dropout": 0.1,
    "bos_token_id": 0, "classifier_dropout": 0.0, "d_model": 768, "decoder_attention_heads": 12,
    "decoder_ffn_dim": 3072, "decoder_layerdrop": 0.0, "decoder_layers": 6,
    "decoder_start_token_id": 2, "dropout": 0.1, "early_stopping": true,
    "encoder_attention_heads": 12, "encoder_ffn_dim": 3072, "encoder_layerdrop": 0.0,
    "encoder_layers": 6, "eos_token_id": 2, "id2label": {"0": "LABEL_0"}, "init_std": 0.02,
    "is_encoder_decoder": true, "max_position_embeddings": 1024, "model_type": "bart",
    "no_repeat_ngram_size": 3, "normalize_before": false, "normalize_embedding": true,
    "num_beams": 4, "pad_token_id": 1, "scale_embedding": false, "torch_dtype": "float32",
    "forced_bos_token_id": 0, "task_specific_params": {"summarization": {"min_length": 12}},
    "use_cache": true, "vocab_size": 50265})",
                               "config.json");
  ModelConfig expected;
  expected.num_beams = 4;
  expected.early_stopping = EarlyStopping::kOn;
  expected.no_repeat_ngram_size = 3;
  expected.forced_bos_token_id = 0;
  EXPECT_EQ(model_config_from_json(json, "config.json"), expected);
}

TEST(ModelConfig, OldForceBosSwitch) {
  Json json = small_config();
  json.erase("forced_bos_token_id");
  json["bos_token_id"] = 5;
  json["force_bos_token_to_be_generated"] = true;
  EXPECT_EQ(model_config_from_json(json, "c").forced_bos_token_id, 5);
  json["forced_bos_token_id"] = 7;  // the new key wins
  EXPECT_EQ(model_config_from_json(json, "c").forced_bos_token_id, 7);
  json["force_bos_token_to_be_generated"] = false;
  json["forced_bos_token_id"] = nullptr;
  EXPECT_EQ(model_config_from_json(json, "c").forced_bos_token_id, -1);
}

TEST(ModelConfig, MissingOrNullKeysKeepTheirDefaults) {
  Json json = small_config();
  json.erase("dropout");
  json["attention_dropout"] = nullptr;
  json.erase("trivium");
  json.erase("max_length");
  json["max_position_embeddings"] = 16;
  const ModelConfig config = model_config_from_json(json, "c");
  EXPECT_EQ(config.dropout, ModelConfig{}.dropout);
  EXPECT_EQ(config.attention_dropout, ModelConfig{}.attention_dropout);
  EXPECT_EQ(config.routing, RoutingConfig{});
  EXPECT_EQ(config.max_length, 16);  // the default, 20, does not fit
}

TEST(ModelConfig, KeysOfTrainingAloneAreFree) {
  Json json = small_config();
  json["encoder_layerdrop"] = 0.1;
  json["decoder_layerdrop"] = 0.2;
  EXPECT_EQ(model_config_from_json(json, "c"), model_config_from_json(small_config(), "c"));
}

TEST(ModelConfig, NewTokensGoBeforeLengths) {
  Json json = small_config();
  json["max_length"] = 9;
  json["max_new_tokens"] = 12;
  json["min_new_tokens"] = 3;
  const ModelConfig config = model_config_from_json(json, "c");
  EXPECT_EQ(config.max_length, 13) << "and the start token";
  EXPECT_EQ(config.min_length, 4);
}

TEST(ModelConfig, PoolsAreTheLayersThatAreNotVanilla) {
  ModelConfig config;
  EXPECT_FALSE(config.encoder_layer_is_pool(0));
  config.routing.num_experts = 3;
  config.routing.encoder_vanilla_layers = {0};
  config.routing.decoder_vanilla_layers = {5};
  EXPECT_FALSE(config.encoder_layer_is_pool(0));
  EXPECT_TRUE(config.encoder_layer_is_pool(5));
  EXPECT_TRUE(config.decoder_layer_is_pool(0));
  EXPECT_FALSE(config.decoder_layer_is_pool(5));
}

TEST(ModelConfig, CountsParameters) {
  // facebook/bart-base has 139,420,416 parameters (its model card's 139M).
  EXPECT_EQ(parameter_count(ModelConfig{}), 139420416.0);
  ModelConfig routed;
  routed.routing.num_experts = 3;
  routed.routing.encoder_vanilla_layers = {0, 1, 2, 3, 4, 5};
  const double decoder_layer = 2 * 2362368 + 4722432 + 3 * 1536;  // attention, FFN, LayerNorm
  const double router = 101412;  // docs/spec/task_level.md, section 2: P = 128, E = 3
  EXPECT_EQ(parameter_count(routed), 139420416.0 + 2 * 6 * decoder_layer + router);
}

// tests/learning/model counts the other kinds' in real models.
TEST(ModelConfig, NamesTheTenRouters) {
  EXPECT_EQ(router_names().size(), 10u);
  for (const auto& [name, kind] : router_names()) {
    ModelConfig config;
    config.routing.router = kind;
    EXPECT_EQ(to_json(config).at("trivium").at("router"), name);
    EXPECT_EQ(model_config_from_json(to_json(config), "").routing.router, kind);
  }
}

TEST(ModelConfig, TransformerRoutersNeedAWidthThatTheirHeadsDivide) {
  ModelConfig config;
  config.routing.num_experts = 3;
  config.routing.router = RouterKind::kTransformer;
  config.routing.task_vector_dim = 30;
  EXPECT_THAT(refusal(to_json(config)), HasSubstr("trivium.task_vector_dim"));
  config.routing.router = RouterKind::kTransformerLayerSpecific;
  EXPECT_EQ(refusal(to_json(config)), "");
  config.routing.router_hidden_dim = 6;
  EXPECT_THAT(refusal(to_json(config)), HasSubstr("trivium.router_hidden_dim"));
  config.routing.router = RouterKind::kLstm;
  EXPECT_EQ(refusal(to_json(config)), "");
}

TEST(ModelConfig, RefusesUnsupportedVariantsByName) {
  const std::vector<std::pair<const char*, Json>> cases = {
      {"model_type", "mbart"},
      {"activation_function", "relu"},
      {"activation_function", 3},
      {"normalize_before", true},
      {"add_final_layer_norm", true},
      {"normalize_embedding", false},
      {"static_position_embeddings", true},
      {"extra_pos_embeddings", 0},
      {"is_encoder_decoder", false},
      {"tie_word_embeddings", false},
      {"quantization_config", Json::object()},
      {"early_stopping", "sometimes"},
      {"do_sample", true},
      {"encoder_no_repeat_ngram_size", 3},
      {"num_beam_groups", 2},
      {"renormalize_logits", true},
      {"sequence_bias", Json::array({1})},
      {"max_time", 3.5},
      {"bad_words_ids", Json::array({5})},
      {"bad_words_ids", Json::array({Json::array()})},
      {"suppress_tokens", Json::array({100})},
      {"max_new_tokens", 100000},
      {"repetition_penalty", 0},
  };
  for (const auto& [key, value] : cases) EXPECT_THAT(refusal_with(key, value), HasSubstr(key));
}

TEST(ModelConfig, RefusesValuesOutOfRange) {
  const std::vector<std::pair<const char*, Json>> cases = {
      {"vocab_size", 0},
      {"vocab_size", -5},
      {"vocab_size", int64_t{1} << 40},
      {"vocab_size", uint64_t{1} << 63},
      {"vocab_size", 100.5},
      {"vocab_size", "100"},
      {"vocab_size", true},
      {"vocab_size", nullptr},
      {"max_position_embeddings", int64_t{1} << 30},
      {"d_model", 0},
      {"d_model", 1000000},
      {"encoder_layers", 0},
      {"encoder_layers", 1000},
      {"decoder_ffn_dim", int64_t{1} << 40},
      {"encoder_attention_heads", 5},  // does not divide 32
      {"decoder_attention_heads", 64},
      {"dropout", 1.0},
      {"dropout", -0.1},
      {"dropout", "none"},
      {"scale_embedding", 1},
      {"pad_token_id", 100},
      {"pad_token_id", -1},
      {"eos_token_id", Json::array({1, 2})},
      {"forced_bos_token_id", 100},
      {"num_beams", 0},
      {"max_length", 4096},
      {"trivium", 3},
  };
  for (const auto& [key, value] : cases) {
    EXPECT_THAT(refusal_with(key, value), HasSubstr(key)) << value.dump();
  }
}

TEST(ModelConfig, RefusesBadRouting) {
  const std::vector<std::pair<const char*, Json>> cases = {
      {"num_experts", 0},
      {"num_experts", int64_t{1} << 40},
      {"encoder_vanilla_layers", {6}},
      {"encoder_vanilla_layers", {0, 0}},
      {"encoder_vanilla_layers", {-1}},
      {"encoder_vanilla_layers", {0.5}},
      {"encoder_vanilla_layers", "0,1"},
      {"router", "oracle"},
      {"selection", 1},
      {"task_vector_dim", 0},
      {"router_hidden_dim", int64_t{1} << 40},
      {"layer_norm_eps", 0.0},
  };
  for (const auto& [key, value] : cases) {
    EXPECT_THAT(refusal_with_own(key, value), HasSubstr(std::string("trivium.") + key));
  }
  EXPECT_THAT(refusal_with_own("num_expert", 2), HasSubstr("did you mean"));
}

TEST(ModelConfig, RefusesMissingShapesAndHugeProducts) {
  for (const char* key : {"vocab_size", "d_model", "encoder_layers", "decoder_ffn_dim"}) {
    Json json = small_config();
    json.erase(key);
    EXPECT_THAT(refusal(json), HasSubstr(key));
  }
  Json huge = small_config();  // each value is allowed, the product is not
  huge["d_model"] = 65536;
  huge["encoder_ffn_dim"] = 65536;
  huge["encoder_layers"] = 256;
  EXPECT_THAT(refusal(huge), HasSubstr("billion parameters"));
  EXPECT_THAT(refusal(Json::array()), HasSubstr("object"));
  Json tiny = small_config();  // the default end token, 2, is outside a vocabulary of 2
  tiny["vocab_size"] = 2;
  tiny.erase("eos_token_id");
  tiny.erase("decoder_start_token_id");
  EXPECT_THAT(refusal(tiny), HasSubstr("eos_token_id"));
}

}  // namespace
}  // namespace trivium
