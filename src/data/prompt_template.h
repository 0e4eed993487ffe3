// Templates that turn raw fields into input, output and options (Mustache text, kainjow's library).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/task.h"

namespace trivium {

// One way of putting a task's records into words. File format: prompts/README.md.
class PromptTemplate {
 public:
  virtual ~PromptTemplate() = default;
  virtual const std::string& name() const = 0;
  // The fields that the input text uses, in order.
  virtual const std::vector<std::string>& input_fields() const = 0;
  // Renders a record. A missing field is an Error (kBadData) that names the record's place.
  virtual Example render(const Task& task, const Record& record) const = 0;
  // Renders the input alone, from a record that needs no target (a user's prompt).
  virtual std::string render_input(const Json& fields) const = 0;
  // The options of a task whose label set is fixed, in the template's words; empty otherwise.
  virtual std::vector<std::string> fixed_options() const = 0;
};

// All templates of a prompts/ folder: one <task>.toml a task, with one or more templates in it.
class PromptLibrary {
 public:
  // Reads every file; Error kConfig names file and place.
  explicit PromptLibrary(const std::filesystem::path& folder);
  // The task's templates, the first one the default. For a task with no file: one plain template made
  // from the task's description ("field: value" lines), so that every task has at least one.
  std::vector<std::shared_ptr<const PromptTemplate>> templates_of(const Task& task) const;
  bool has(const std::string& task) const;

 private:
  std::map<std::string, std::vector<std::shared_ptr<const PromptTemplate>>> templates_;
};

}  // namespace trivium
