#include "core/config/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/toml_depth.h"

namespace trivium {
namespace {

// Leaf values of a TOML document by dotted key, each with where it was written.
struct Leaf {
  const toml::node* node;
  std::string where;
};
using Leaves = std::map<std::string, Leaf>;

void collect(const toml::table& table, const std::string& prefix, const std::string& source,
             Leaves& leaves) {
  for (const auto& [key, node] : table) {
    const std::string name =
        prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
    if (node.is_table()) {
      collect(*node.as_table(), name, source, leaves);
    } else {
      const uint32_t line = node.source().begin.line;
      leaves[name] = {&node, line > 0 && !source.starts_with("--set")
                                 ? source + ":" + std::to_string(line)
                                 : source};
    }
  }
}

toml::table parse_toml(const std::string& text, const std::string& source) {
  try {
    return parse_guarded_toml(text, source);
  } catch (const toml::parse_error& e) {
    throw Error(ExitCode::kConfig, source + ":" + std::to_string(e.source().begin.line) + ": " +
                                       std::string(e.description()));
  }
}

// "key=value" as a TOML document; a value that is not TOML is taken as a string.
toml::table parse_override(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(ExitCode::kConfig, "--set " + text + ": write key=value");
  }
  const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  try {
    return parse_guarded_toml(key + " = " + value, "--set");
  } catch (const toml::parse_error&) {
    std::ostringstream quoted;
    quoted << toml::value<std::string>(value);
    return parse_toml(key + " = " + quoted.str(), "--set " + text);
  }
}

// Without toml++'s conversions, which take true for 1; but an integer is a number.
template <typename T>
std::optional<T> value_of(const toml::node& node) {
  if constexpr (std::is_same_v<T, double>) {
    return node.is_number() ? node.value<double>() : std::nullopt;
  } else {
    return node.value_exact<T>();
  }
}

// The shortest TOML number that is read as the same value.
std::string number_text(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  check(error == std::errc(), "a number fits its buffer");
  const std::string text(buffer.data(), end);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

// Takes the leaves that the settings name, checks and stores them.
class Reader : public SettingsVisitor {
 public:
  explicit Reader(Leaves leaves) : leaves_(std::move(leaves)) {}

  void number(const char* key, double& value, double min, double max, const char*) override {
    read<double>(key, "a number", [&](double v) {
      if (!(v >= min && v <= max)) fail(key, "must be from " + format(min) + " to " + format(max));
      value = v;
    });
  }
  void integer(const char* key, int64_t& value, int64_t min, int64_t max, const char*) override {
    read<int64_t>(key, "an integer", [&](int64_t v) {
      if (v < min || v > max) {
        fail(key, "must be from " + std::to_string(min) + " to " + std::to_string(max));
      }
      value = v;
    });
  }
  void flag(const char* key, bool& value, const char*) override {
    read<bool>(key, "true or false", [&](bool v) { value = v; });
  }
  void text(const char* key, std::string& value, const std::vector<std::string>& choices,
            const char*) override {
    read<std::string>(key, "a string", [&](const std::string& v) {
      if (!choices.empty() && std::find(choices.begin(), choices.end(), v) == choices.end()) {
        std::string list;
        for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
        fail(key, "must be one of " + list + did_you_mean(v, choices));
      }
      value = v;
    });
  }
  void numbers(const char* key, std::vector<double>& value, const char*) override {
    read_list<double>(key, "a list of numbers", value);
  }
  void integers(const char* key, std::vector<int64_t>& value, const char*) override {
    read_list<int64_t>(key, "a list of integers", value);
  }
  void texts(const char* key, std::vector<std::string>& value, const char*) override {
    read_list<std::string>(key, "a list of strings", value);
  }

  // Errors for a leaf that no setting took.
  void finish() const {
    for (const auto& [key, leaf] : leaves_) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        throw Error(ExitCode::kConfig,
                    leaf.where + ": unknown setting \"" + key + "\"" + did_you_mean(key, known_));
      }
    }
  }

  static std::string format(double value) {
    std::ostringstream out;
    out << value;
    return out.str();
  }

 private:
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    throw Error(ExitCode::kConfig, leaves_.at(key).where + ": " + key + " " + problem);
  }

  template <typename T>
  void read(const char* key, const char* type, const std::function<void(const T&)>& store) {
    known_.emplace_back(key);
    const auto leaf = leaves_.find(key);
    if (leaf == leaves_.end()) return;
    const auto value = value_of<T>(*leaf->second.node);
    if (!value) fail(key, std::string("must be ") + type);
    store(*value);
  }

  template <typename T>
  void read_list(const char* key, const char* type, std::vector<T>& target) {
    known_.emplace_back(key);
    const auto leaf = leaves_.find(key);
    if (leaf == leaves_.end()) return;
    const toml::array* array = leaf->second.node->as_array();
    if (array == nullptr) fail(key, std::string("must be ") + type);
    target.clear();
    for (const toml::node& node : *array) {
      const auto value = value_of<T>(node);
      if (!value) fail(key, std::string("must be ") + type);
      target.push_back(*value);
    }
  }

  Leaves leaves_;
  std::vector<std::string> known_;
};

// Visits every setting with what is known of it.
class Lister : public SettingsVisitor {
 public:
  struct Listed {
    std::string key, toml, range, help;
    Json value;
  };
  using Sink = std::function<void(const Listed& setting)>;
  explicit Lister(Sink sink) : sink_(std::move(sink)) {}

  void number(const char* key, double& value, double min, double max, const char* help) override {
    sink_(
        {key, number_text(value), Reader::format(min) + " … " + Reader::format(max), help, value});
  }
  void integer(const char* key, int64_t& value, int64_t min, int64_t max,
               const char* help) override {
    sink_({key, std::to_string(value), std::to_string(min) + " … " + std::to_string(max), help,
           value});
  }
  void flag(const char* key, bool& value, const char* help) override {
    sink_({key, value ? "true" : "false", "true, false", help, value});
  }
  void text(const char* key, std::string& value, const std::vector<std::string>& choices,
            const char* help) override {
    std::string range;
    for (const std::string& choice : choices) range += (range.empty() ? "" : ", ") + choice;
    sink_({key, quote(value), range.empty() ? "text" : range, help, value});
  }
  void numbers(const char* key, std::vector<double>& value, const char* help) override {
    list(key, value, number_text, "numbers", help);
  }
  void integers(const char* key, std::vector<int64_t>& value, const char* help) override {
    list(
        key, value, [](int64_t v) { return std::to_string(v); }, "integers", help);
  }
  void texts(const char* key, std::vector<std::string>& value, const char* help) override {
    list(key, value, quote, "strings", help);
  }

 private:
  template <typename T, typename ToText>
  void list(const char* key, const std::vector<T>& values, const ToText& to_text, const char* range,
            const char* help) {
    std::string items;
    for (const T& value : values) items += (items.empty() ? "" : ", ") + to_text(value);
    sink_({key, "[" + items + "]", range, help, values});
  }
  static std::string quote(const std::string& text) {
    std::ostringstream out;
    out << toml::value<std::string>(text);
    return out.str();
  }
  Sink sink_;
};

// A line for each setting, in its section.
class TomlText {
 public:
  void add(const std::string& key, const std::string& value, const std::string& comment = "") {
    const size_t dot = key.rfind('.');
    const std::string in = dot == std::string::npos ? "" : key.substr(0, dot);
    if (in != section_) {
      text_ += (text_.empty() ? "[" : "\n[") + in + "]\n";
      section_ = in;
    }
    text_ += (dot == std::string::npos ? key : key.substr(dot + 1)) + " = " + value;
    text_ += comment.empty() ? "\n" : "  # " + comment + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_, section_;
};

// Reads file and overrides into `settings`; returns what was given, by key, with its place.
std::map<std::string, std::string> read_settings(Settings& settings,
                                                 const std::filesystem::path& file,
                                                 const std::vector<std::string>& overrides) {
  std::vector<toml::table> documents;  // keeps the nodes that leaves point to
  documents.reserve(overrides.size() + 1);
  Leaves leaves;
  documents.push_back(parse_toml(read_file(file), file.string()));
  collect(documents.back(), "", file.string(), leaves);
  for (const std::string& text : overrides) {
    documents.push_back(parse_override(text));
    collect(documents.back(), "", "--set " + text, leaves);
  }
  std::map<std::string, std::string> places;
  for (const auto& [key, leaf] : leaves) places[key] = leaf.where;
  Reader reader(std::move(leaves));
  settings.visit(reader);
  reader.finish();
  return places;
}

}  // namespace

void load_settings(Settings& settings, const std::filesystem::path& file,
                   const std::vector<std::string>& overrides) {
  read_settings(settings, file, overrides);
}

std::vector<ResolvedSetting> resolve_settings(Settings& settings, const std::filesystem::path& file,
                                              const std::vector<std::string>& overrides) {
  const std::map<std::string, std::string> places = read_settings(settings, file, overrides);
  std::vector<ResolvedSetting> resolved;
  Lister lister([&](const Lister::Listed& setting) {
    const auto place = places.find(setting.key);
    resolved.push_back({setting.key, setting.value, setting.toml,
                        place == places.end() ? "default" : place->second});
  });
  settings.visit(lister);
  return resolved;
}

// A comment ends with its line; what else a file's name or an override may hold is no part of it.
std::string to_toml(const std::vector<ResolvedSetting>& settings) {
  TomlText text;
  for (const ResolvedSetting& setting : settings) {
    std::string source = setting.source;
    std::replace_if(
        source.begin(), source.end(),
        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
    text.add(setting.key, setting.toml, source);
  }
  return text.text();
}

std::string settings_to_toml(Settings& settings) {
  TomlText text;
  Lister lister([&](const Lister::Listed& setting) { text.add(setting.key, setting.toml); });
  settings.visit(lister);
  return text.text();
}

std::string settings_reference(Settings& settings) {
  std::string text = "| setting | default | range | meaning |\n| --- | --- | --- | --- |\n";
  Lister lister([&](const Lister::Listed& setting) {
    text += "| `" + setting.key + "` | `" + setting.toml + "` | " + setting.range + " | " +
            setting.help + " |\n";
  });
  settings.visit(lister);
  return text;
}

}  // namespace trivium
