#include "core/tokenizers/tokenizer_options.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/tokenizers/model_file.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

// In transformers' order, which gives ids to those that the vocabulary lacks.
constexpr const char* kSpecialKeys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};

std::optional<bool> read_flag(const nlohmann::json& config, const char* key,
                              const std::string& where) {
  if (!config.contains(key) || config[key].is_null()) return std::nullopt;
  if (!config[key].is_boolean()) {
    throw_bad_model(where, std::string(key) + " is not true or false");
  }
  return config[key].get<bool>();
}

// Keys that would change ids, with the only value that is implemented.
void refuse_unsupported(const nlohmann::json& config, const std::string& where) {
  require_value(config, "split_special_tokens", false, where);
  require_value(config, "truncation_side", "right", where);
  require_value(config, "from_slow", false, where);
  if (config.contains("extra_special_tokens") && !config["extra_special_tokens"].empty()) {
    throw_bad_model(where,
                    "extra_special_tokens is unsupported; name the tokens in "
                    "additional_special_tokens");
  }
}

std::string read_class(const nlohmann::json& config, std::span<const std::string_view> classes,
                       const std::string& where) {
  if (!config.contains("tokenizer_class") || config["tokenizer_class"].is_null()) return "";
  const nlohmann::json& value = config["tokenizer_class"];
  std::string name = value.is_string() ? value.get<std::string>() : value.dump();
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (std::find(classes.begin(), classes.end(), name) == classes.end()) {
    throw_bad_model(where, "tokenizer_class " + value.dump() + " is unsupported for these files");
  }
  return name;
}

void read_named(const nlohmann::json& config, const std::string& where, TokenizerOptions& options) {
  for (const char* key : kSpecialKeys) {
    if (!config.contains(key) || config[key].is_null()) continue;
    options.named.insert_or_assign(
        key, NamedToken{added_token_from_json(config[key], true, where), config[key].is_object()});
  }
  if (!config.contains("additional_special_tokens")) return;
  const nlohmann::json& list = config["additional_special_tokens"];
  if (list.is_null()) return;
  if (!list.is_array()) throw_bad_model(where, "additional_special_tokens is not a list");
  for (const nlohmann::json& entry : list) {
    options.additional.push_back(added_token_from_json(entry, true, where));
  }
}

// A file may hold so many tokens that one cannot look through all for each of them.
std::unordered_set<std::string> contents_of(const std::vector<AddedToken>& tokens) {
  std::unordered_set<std::string> contents;
  for (const AddedToken& token : tokens) contents.insert(token.content);
  return contents;
}

// The old layout: {"token": id}, and what is special is known from the other files alone.
std::vector<AddedToken> read_added_tokens_file(const fs::path& file,
                                               const TokenizerOptions& options) {
  std::vector<AddedToken> tokens;
  const nlohmann::json object = read_optional_object(file);
  std::unordered_set<std::string> special = contents_of(options.additional);
  for (const auto& [key, named] : options.named) special.insert(named.token.content);
  for (auto entry = object.begin(); entry != object.end(); ++entry) {
    const auto id = json_as<int32_t>(entry.value());
    if (!id || entry.key().empty()) {
      throw_bad_model(file.string(), "the id of \"" + entry.key() + "\" is no id");
    }
    AddedToken token{.content = entry.key(), .id = *id};
    token.special = special.contains(token.content);
    token.normalized = !token.special;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

TokenizerOptions read_tokenizer_options(const fs::path& folder,
                                        std::span<const std::string_view> classes) {
  TokenizerOptions options;
  options.where = folder.string();
  const std::string where = (folder / "tokenizer_config.json").string();
  const nlohmann::json config = read_optional_object(folder / "tokenizer_config.json");
  refuse_unsupported(config, where);
  options.tokenizer_class = read_class(config, classes, where);
  options.clean_up = read_flag(config, "clean_up_tokenization_spaces", where);
  // What trivium saved before it wrote the key is cleaned up.
  if (!options.clean_up && fs::exists(folder / "manifest.json")) options.clean_up = true;
  options.add_prefix_space = read_flag(config, "add_prefix_space", where).value_or(false);
  options.lower_case = read_flag(config, "do_lower_case", where).value_or(true);
  options.strip_accents = read_flag(config, "strip_accents", where);
  options.split_ideographs = read_flag(config, "tokenize_chinese_chars", where).value_or(true);
  read_named(config, where, options);
  if (config.contains("added_tokens_decoder")) {
    options.added = AddedTokens::from_json(config["added_tokens_decoder"], where).tokens();
  } else {
    // The files of before there was that key; what they say goes before tokenizer_config.json.
    const fs::path map = folder / "special_tokens_map.json";
    const nlohmann::json names = read_optional_object(map);
    if (names.contains("additional_special_tokens")) options.additional.clear();
    read_named(names, map.string(), options);
    options.added = read_added_tokens_file(folder / "added_tokens.json", options);
  }
  std::sort(options.added.begin(), options.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return options;
}

std::vector<AddedToken> all_added_tokens(std::vector<AddedToken> base,
                                         const TokenizerOptions& options,
                                         std::span<const SpecialDefault> defaults,
                                         const Vocabulary& vocabulary) {
  std::vector<AddedToken> special;
  const auto find_default = [&](const std::string& key) {
    return std::find_if(defaults.begin(), defaults.end(),
                        [&](const SpecialDefault& known) { return known.key == key; });
  };
  for (const char* key : kSpecialKeys) {
    const auto named = options.named.find(key);
    const auto known = find_default(key);
    if (named == options.named.end() && known == defaults.end()) continue;
    AddedToken token = known != defaults.end() ? known->token : named->second.token;
    if (named != options.named.end()) {
      if (named->second.has_flags) token = named->second.token;
      token.content = named->second.token.content;
    }
    special.push_back(std::move(token));
  }
  special.insert(special.end(), options.additional.begin(), options.additional.end());

  std::unordered_set<std::string> held = contents_of(base);
  const std::unordered_set<std::string> specials = contents_of(special);
  int64_t next = vocabulary.size();  // 64 bits, since a file may hold any id
  for (const AddedToken& token : base) next = std::max(next, int64_t{token.id} + 1);
  const auto add = [&](AddedToken token, bool keeps_id) {
    if (!held.insert(token.content).second) return;
    token.special = token.special || specials.contains(token.content);
    const int32_t found = vocabulary.find(token.content);
    if (!keeps_id) token.id = found >= 0 ? found : static_cast<int32_t>(next);
    if (found < 0) next = std::max(next, int64_t{token.id} + 1);
    base.push_back(std::move(token));
  };
  for (const AddedToken& token : options.added) add(token, true);
  for (const AddedToken& token : special) {
    AddedToken copy = token;
    copy.special = true;
    add(std::move(copy), false);
  }
  for (const SpecialDefault& known : defaults) {
    if (!known.token.strip_left || options.named.contains(known.key)) continue;
    for (AddedToken& token : base) {
      if (token.content != known.token.content) continue;
      token.strip_left = true;
      token.normalized = known.token.normalized;
    }
  }
  return base;
}

std::string special_content(const TokenizerOptions& options,
                            std::span<const SpecialDefault> defaults, std::string_view key) {
  const auto named = options.named.find(std::string(key));
  if (named != options.named.end()) return named->second.token.content;
  for (const SpecialDefault& known : defaults) {
    if (known.key == key) return known.token.content;
  }
  throw_bad_model(options.where, "no " + std::string(key) + " is named");
}

TextFrame read_text_frame(const nlohmann::json& tokenizer, const std::string& where) {
  const auto refuse = [&]() {
    throw_bad_model(where, "the post_processor must put one token before a text and one behind it");
  };
  if (!tokenizer.contains("post_processor") || !tokenizer["post_processor"].is_object()) refuse();
  const nlohmann::json& processor = tokenizer["post_processor"];
  try {
    const std::string type = processor.at("type").get<std::string>();
    if (type == "RobertaProcessing" || type == "BertProcessing") {
      return {processor.at("cls").at(0).get<std::string>(),
              processor.at("sep").at(0).get<std::string>()};
    }
    if (type == "TemplateProcessing") {
      const nlohmann::json& single = processor.at("single");
      if (single.size() != 3 || !single.at(1).contains("Sequence")) refuse();
      return {single.at(0).at("SpecialToken").at("id").get<std::string>(),
              single.at(2).at("SpecialToken").at("id").get<std::string>()};
    }
  } catch (const nlohmann::json::exception&) {
    refuse();
  }
  refuse();
  return {};
}

nlohmann::json special_names(const SpecialTokens& special, const Tokenizer& tokenizer) {
  nlohmann::json names = {
      {"bos_token", tokenizer.token(special.bos)}, {"cls_token", tokenizer.token(special.bos)},
      {"eos_token", tokenizer.token(special.eos)}, {"sep_token", tokenizer.token(special.eos)},
      {"pad_token", tokenizer.token(special.pad)}, {"unk_token", tokenizer.token(special.unk)}};
  if (special.mask >= 0) names["mask_token"] = tokenizer.token(special.mask);
  return names;
}

}  // namespace trivium
