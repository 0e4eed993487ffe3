// A table of a study's TOML file, read strictly: an error names the file and the line.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trivium::research {

// Error kMissingInput for a file that is not there, kConfig for one that is not TOML.
toml::table parse_plan_file(const std::filesystem::path& file);

// Every reading function is an Error kConfig where the value is of another type. The TOML document
// must outlive the table.
class PlanTable {
 public:
  PlanTable(const toml::table& table, std::string file) : table_(table), file_(std::move(file)) {}

  // Error kConfig, with the nearest names, for a key that is not among these.
  void allow_only(const std::vector<std::string>& keys) const;
  bool has(const char* key) const { return table_.contains(key); }
  // For a table whose keys are names, sorted.
  std::vector<std::string> keys() const;

  // Error kConfig where the key is missing.
  std::string text(const std::string& key) const;
  bool flag(const std::string& key) const;
  PlanTable table(const std::string& key) const;
  // Empty, or nothing, where the key is missing.
  std::string text_or_empty(const std::string& key) const;
  std::optional<int64_t> integer(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  // Texts "KEY=VALUE", as load_settings takes them. Error kConfig for others.
  std::vector<std::string> overrides(const std::string& key) const;
  std::map<std::string, double> numbers(const std::string& key) const;
  std::vector<PlanTable> tables(const std::string& key) const;

  // Throws an Error kConfig: the line of the key's value, or where there is no such key that of the
  // table, and `what`.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  // As fail, where `name`, which stands at `key`, cannot be that of a folder of runs.
  void check_folder_name(const std::string& key, const std::string& name) const;
  // As fail, where `name`, which stands at `key`, is not one of `known`: "there is no WHAT "NAME"",
  // with the nearest of them.
  void check_known(const std::string& key, const std::string& name,
                   const std::vector<std::string>& known, const std::string& what) const;

 private:
  const toml::node& required(const std::string& key) const;

  const toml::table& table_;
  std::string file_;
};

}  // namespace trivium::research
