// Templates that turn raw fields into input, output and options (Mustache text, kainjow's library).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/mustache_text.h"
#include "core/data/task.h"

namespace trivium {

// A target that is a number is learned as the nearest of these: from, from + step, ... to.
struct NumberScale {
  double from = 0, to = 0, step = 1;
};

// A template as a prompts/ file, or a checkpoint's tasks.json, writes it.
struct TemplateSpec {
  std::string name;
  std::string input;                         // Mustache over the task's input fields
  std::string target;                        // Mustache; "" stands for the target field alone
  std::map<std::string, std::string> words;  // raw target -> Mustache text that stands in its place
  std::optional<NumberScale> numbers = {};   // of a task whose targets are numbers
};

// One way of putting a task's records into words. File format: prompts/README.md.
class PromptTemplate {
 public:
  // Binds `spec` to a task's fields and labels (its records are not needed). Error kConfig,
  // beginning with `where`, for malformed Mustache, a field the task's inputs lack, or words that
  // do not fit its labels.
  PromptTemplate(const TemplateSpec& spec, const Task& task, const std::string& where);

  const std::string& name() const { return spec_.name; }
  const TemplateSpec& spec() const { return spec_; }
  // The fields that the input text uses, in order.
  const std::vector<std::string>& input_fields() const { return input_.fields(); }
  // Renders a record of the task. With a scale, the options are its numbers and the answer to learn
  // is the nearest of them. A missing field or an empty result is an Error (kBadData) that
  // names the record's place.
  Example render(const Task& task, const Record& record) const;
  // Renders the input alone, from a record that needs no target (a user's prompt).
  std::string render_input(const Json& fields) const;
  // The options of a task whose label set is fixed, in the template's words; empty otherwise.
  const std::vector<std::string>& fixed_options() const { return fixed_options_; }
  // What rank scoring chooses among for a record (its target is not needed); empty when open.
  std::vector<std::string> options_of(const Task& task, const Record& record) const;

 private:
  std::string render_target(const Json& fields, const std::string& raw,
                            const std::string& where) const;
  // Whether the text of a target depends on nothing but the raw target.
  bool target_is_fixed() const;

  TemplateSpec spec_;
  std::string target_field_;
  MustacheText input_;
  MustacheText target_;
  std::map<std::string, MustacheText> words_;
  std::vector<double> numbers_;  // of the scale, where there is one
  std::vector<std::string> fixed_options_;
};

// The template of a task that nobody wrote one for: "field: value" lines, or the value alone where
// it has but one input.
TemplateSpec plain_template(const Task& task);
// The same for a reader of values alone: those of all inputs, with marks between them.
TemplateSpec values_template(const Task& task);

// All templates of a prompts/ folder: one <task>.toml a task, with one or more templates in it.
class PromptLibrary {
 public:
  // Reads every file; Error kConfig names file and place.
  explicit PromptLibrary(const std::filesystem::path& folder);
  // The task's templates, the first one the default. For a task with no file: one plain template
  // made from the task's description ("field: value" lines), so that every task has at least one.
  std::vector<std::shared_ptr<const PromptTemplate>> templates_of(const Task& task) const;
  bool has(const std::string& task) const { return files_.contains(task); }
  // Every task that has a file, sorted.
  std::vector<std::string> task_names() const;
  // One line for people, "" for a task with no file.
  std::string description_of(const std::string& task) const;
  // A record's input fields, made up to show the task; an empty object for a task with no file.
  Json example_of(const std::string& task) const;

 private:
  struct File {
    std::string path;
    std::string description;
    Json example = Json::object();
    std::vector<TemplateSpec> templates;
  };
  static File read_file(const std::filesystem::path& path);

  std::map<std::string, File> files_;
};

}  // namespace trivium
