#include "core/config/generation_settings.h"

#include <utility>

#include "core/base/error.h"

namespace trivium {
namespace {

constexpr const char* kGenerationFile = "generation_config.json";
// BartConfig's, where config.json says nothing; and where it says null, none.
constexpr std::pair<const char*, int> kBartTokens[] = {{"bos_token_id", 0},
                                                       {"eos_token_id", 2},
                                                       {"decoder_start_token_id", 2},
                                                       {"forced_eos_token_id", 2}};

// The max_length that transformers takes for "none given": 20 tokens behind the start token.
constexpr int kDefaultLength = 20;

// Keys that trivium applies; all others are fixed or change no answer.
constexpr const char* kApplied[] = {
    "num_beams",          "max_length",           "max_new_tokens",         "min_length",
    "min_new_tokens",     "no_repeat_ngram_size", "repetition_penalty",     "length_penalty",
    "early_stopping",     "bad_words_ids",        "suppress_tokens",        "begin_suppress_tokens",
    "bos_token_id",       "eos_token_id",         "decoder_start_token_id", "forced_bos_token_id",
    "forced_eos_token_id"};

[[noreturn]] void fail(const std::string& where, const char* key, const std::string& problem) {
  throw Error(ExitCode::kBadModel, where + ": key \"" + key + "\" " + problem);
}

Json value_or_null(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? Json() : *found;
}

// A list of one id is that id.
void take_single_id(Json& settings, const char* key, const std::string& where) {
  Json& id = settings[key];
  if (!id.is_array()) return;
  if (id.size() != 1) fail(where, key, "must be one id: trivium ends an answer at one token");
  id = Json(id[0]);
}

// The old keys of config.json, with what BartConfig makes of those that are missing.
Json legacy_settings(const Json& config) {
  Json settings = Json::object();
  for (const char* key : kApplied) settings[key] = value_or_null(config, key);
  for (const auto& [key, id] : kBartTokens) {
    if (!config.contains(key)) settings[key] = id;
  }
  const auto force = config.find("force_bos_token_to_be_generated");
  if (settings["forced_bos_token_id"].is_null() && force != config.end() && *force == true) {
    settings["forced_bos_token_id"] = settings["bos_token_id"];
  }
  for (const FixedGenerationKey& fixed : fixed_generation_keys()) {
    settings[fixed.key] = value_or_null(config, fixed.key);
  }
  return settings;
}

Json settings_of_file(const Json& generation) {
  Json settings = Json::object();
  for (const char* key : kApplied) settings[key] = value_or_null(generation, key);
  for (const FixedGenerationKey& fixed : fixed_generation_keys()) {
    settings[fixed.key] = value_or_null(generation, fixed.key);
  }
  return settings;
}

void fill_defaults(Json& settings, const Json& config, const std::string& where) {
  take_single_id(settings, "eos_token_id", where);
  take_single_id(settings, "forced_eos_token_id", where);
  if (settings["decoder_start_token_id"].is_null()) {
    settings["decoder_start_token_id"] = settings["bos_token_id"];
  }
  for (const char* key : {"eos_token_id", "decoder_start_token_id"}) {
    if (settings[key].is_null()) fail(where, key, "is missing: no answer could begin, or end");
  }
  // Teacher-forced targets begin with config.json's token, whatever generation begins with.
  const Json start =
      config.contains("decoder_start_token_id") ? config.at("decoder_start_token_id") : Json(2);
  if (!start.is_null() && start != settings["decoder_start_token_id"]) {
    fail(where, "decoder_start_token_id",
         "is " + settings["decoder_start_token_id"].dump() + ", but config.json says " +
             start.dump() + "; make them one");
  }
  Json& length = settings["max_length"];
  if (length.is_null()) length = kDefaultLength;
  if (length == kDefaultLength) {
    length = kDefaultLength + 1;
    const Json positions = value_or_null(config, "max_position_embeddings");
    if (positions.is_number_integer() && positions < length) length = positions;
  }
  if (settings["num_beams"].is_null()) settings["num_beams"] = 1;
  // A ban of the end token alone is none.
  Json words = Json::array();
  for (const Json& word : settings["bad_words_ids"]) {
    if (word != Json::array({settings["eos_token_id"]})) words.push_back(word);
  }
  if (settings["bad_words_ids"].is_array()) settings["bad_words_ids"] = std::move(words);
}

}  // namespace

const std::vector<FixedGenerationKey>& fixed_generation_keys() {
  constexpr const char* kNone = "trivium implements no other";
  static const std::vector<FixedGenerationKey> keys = {
      {"do_sample", false, "ask for samples with --sample, and set the key to false"},
      {"encoder_no_repeat_ngram_size", 0, kNone},
      {"encoder_repetition_penalty", 1, kNone},
      {"exponential_decay_length_penalty", Json(), kNone},
      {"sequence_bias", Json(), kNone},
      {"num_beam_groups", 1, kNone},
      {"diversity_penalty", 0, kNone},
      {"num_return_sequences", 1, "trivium gives the best answer alone"},
      {"penalty_alpha", Json(), kNone},
      {"constraints", Json(), kNone},
      {"force_words_ids", Json(), kNone},
      {"guidance_scale", 1, kNone},
      {"watermarking_config", Json(), kNone},
      {"renormalize_logits", false, kNone},
      {"token_healing", false, kNone},
      {"dola_layers", Json(), kNone},
      {"prompt_lookup_num_tokens", Json(), kNone},
      {"max_time", Json(), "an answer does not depend on the clock"},
      {"stop_strings", Json(), kNone},
  };
  return keys;
}

Json with_generation_settings(Json config, const std::optional<Json>& generation,
                              const std::string& where) {
  const std::string file = where + "/" + (generation ? kGenerationFile : "config.json");
  if (generation && !generation->is_object()) {
    throw Error(ExitCode::kBadModel, file + ": must be a JSON object");
  }
  if (!config.is_object()) {
    throw Error(ExitCode::kBadModel, where + "/config.json: must be a JSON object");
  }
  Json settings = generation ? settings_of_file(*generation) : legacy_settings(config);
  fill_defaults(settings, config, file);
  config.erase("force_bos_token_to_be_generated");
  for (const auto& [key, value] : settings.items()) config[key] = value;
  return config;
}

Json take_generation_settings(Json& config) {
  Json generation = Json::object();
  for (const char* key : kApplied) {
    if (!config.contains(key)) continue;
    if (!config.at(key).is_null()) generation[key] = config.at(key);
    config.erase(key);
  }
  // 20 stands for "none given", and for one more.
  if (generation.contains("max_length") && generation.at("max_length") == kDefaultLength) {
    generation["max_new_tokens"] = kDefaultLength - 1;
  }
  return generation;
}

}  // namespace trivium
