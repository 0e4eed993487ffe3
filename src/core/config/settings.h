// Settings files: one declaration of a setting gives its key, default, range and help; reading
// TOML, overriding with --set, printing the reference and saving the resolved file all walk it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/enum_names.h"
#include "core/base/json.h"

namespace trivium {

// Walks the settings of a struct. `key` is dotted: "train.learning_rate".
class SettingsVisitor {
 public:
  virtual ~SettingsVisitor() = default;
  // Bounds are inclusive.
  virtual void number(const char* key, double& value, double min, double max, const char* help) = 0;
  virtual void integer(const char* key, int64_t& value, int64_t min, int64_t max,
                       const char* help) = 0;
  virtual void flag(const char* key, bool& value, const char* help) = 0;
  // An empty `choices` allows any text.
  virtual void text(const char* key, std::string& value, const std::vector<std::string>& choices,
                    const char* help) = 0;
  virtual void numbers(const char* key, std::vector<double>& value, const char* help) = 0;
  virtual void integers(const char* key, std::vector<int64_t>& value, const char* help) = 0;
  virtual void texts(const char* key, std::vector<std::string>& value, const char* help) = 0;

  // A text that is one of the table's names.
  template <typename Enum>
  void choice(const char* key, Enum& value, const EnumNames<Enum>& table, const char* help) {
    std::string name = name_in(table, value);
    text(key, name, names_of(table), help);
    value = value_in(table, name);
  }
};

// A struct of settings.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual void visit(SettingsVisitor& visitor) = 0;
};

// Reads a TOML file over the defaults in `settings`, then each override "key=value" (the value in
// TOML's notation; bare words are strings). Unknown keys, wrong types and values out of range are
// an Error (kConfig) that names file:line or the override, with the nearest key.
void load_settings(Settings& settings, const std::filesystem::path& file,
                   const std::vector<std::string>& overrides);

// A setting with where its value comes from.
struct ResolvedSetting {
  std::string key;     // "train.steps"
  Json value;          // a number, a flag, a text, or a list of one kind
  std::string toml;    // the value in TOML's notation
  std::string source;  // "default", "FILE:LINE" or "--set KEY=VALUE"
};

// As load_settings; every setting, in the order of the declaration. Errors as load_settings.
std::vector<ResolvedSetting> resolve_settings(Settings& settings, const std::filesystem::path& file,
                                              const std::vector<std::string>& overrides);

// TOML text with each value's source as a comment behind it; load_settings of it gives the same
// settings.
std::string to_toml(const std::vector<ResolvedSetting>& settings);

// The resolved settings as TOML text; load_settings of it gives the same settings.
std::string settings_to_toml(Settings& settings);

// A Markdown table: key, default, range, meaning.
std::string settings_reference(Settings& settings);

}  // namespace trivium
