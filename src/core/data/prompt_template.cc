#include "core/data/prompt_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

void push_unique(std::vector<std::string>& texts, std::string text) {
  if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
}

// A field that the input may not use would leak the answer, or is a slip of the pen.
void check_input_fields(const MustacheText& input, const Task& task, const std::string& where) {
  for (const std::string& field : input.fields()) {
    if (std::find(task.inputs.begin(), task.inputs.end(), field) == task.inputs.end()) {
      throw Error(ExitCode::kConfig, where + ": \"" + field + "\" is not an input field of task " +
                                         task.name + did_you_mean(field, task.inputs));
    }
  }
}

void check_words(const TemplateSpec& spec, const Task& task, const std::string& where) {
  if (spec.words.empty() || task.labels.empty()) return;
  for (const std::string& label : task.labels) {
    if (!spec.words.contains(label))
      throw Error(ExitCode::kConfig, where + ": no words for label \"" + label + "\"");
  }
  for (const auto& [label, text] : spec.words) {
    if (std::find(task.labels.begin(), task.labels.end(), label) == task.labels.end()) {
      throw Error(ExitCode::kConfig, where + ": words for \"" + label +
                                         "\", which is not a label of task " + task.name +
                                         did_you_mean(label, task.labels));
    }
  }
}

// Lets a target be written by its letter: {{letter}} is that of the choice that it is.
void add_letter(const Json& fields, const std::string& raw, Json& with_target) {
  const auto choices = fields.find("choices");
  if (choices == fields.end() || !choices->is_array() || fields.contains("letter")) return;
  const auto place = std::find(choices->begin(), choices->end(), raw) - choices->begin();
  if (place < static_cast<std::ptrdiff_t>(choices->size())) {
    with_target["letter"] = choice_letter(static_cast<size_t>(place));
  }
}

void check_scale(const NumberScale& scale, const Task& task, const std::string& where) {
  constexpr double kMostNumbers = 100;
  const double count = (scale.to - scale.from) / scale.step;
  if (!(scale.step > 0) || !(count >= 1) || !(count < kMostNumbers)) {
    throw Error(ExitCode::kConfig,
                where + ": \"numbers\" must go from a number up to another in 1 to 99 steps");
  }
  if (!task.labels.empty()) {
    throw Error(ExitCode::kConfig, where + ": \"numbers\" are of a task without labels");
  }
}

std::vector<double> numbers_of(const NumberScale& scale) {
  std::vector<double> numbers;
  const auto count = std::lround((scale.to - scale.from) / scale.step);
  for (int64_t i = 0; i <= count; ++i) {
    numbers.push_back(scale.from + static_cast<double>(i) * scale.step);
  }
  return numbers;
}

// The one of `numbers` that is nearest to what `text` says, as text.
std::string nearest_number(const std::vector<double>& numbers, const std::string& text,
                           const std::string& where) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ExitCode::kBadData, where + ": the target \"" + text + "\" is not a number");
  }
  return fmt::format("{:g}",
                     *std::min_element(numbers.begin(), numbers.end(), [&](double a, double b) {
                       return std::abs(a - value) < std::abs(b - value);
                     }));
}

}  // namespace

PromptTemplate::PromptTemplate(const TemplateSpec& spec, const Task& task, const std::string& where)
    : spec_(spec),
      target_field_(task.target),
      input_(spec.input, where),
      target_(spec.target.empty() ? "{{" + task.target + "}}" : spec.target, where) {
  check_input_fields(input_, task, where);
  check_words(spec, task, where);
  if (spec.numbers) {
    check_scale(*spec.numbers, task, where);
    numbers_ = numbers_of(*spec.numbers);
    for (const double number : numbers_) {
      fixed_options_.push_back(fmt::format("{:g}", number));
    }
    return;
  }
  for (const auto& [raw, text] : spec.words) words_.emplace(raw, MustacheText(text, where));
  if (target_is_fixed()) {
    for (const std::string& label : task.labels) {
      push_unique(fixed_options_, render_target(Json::object(), label, where));
    }
  }
}

bool PromptTemplate::target_is_fixed() const {
  const auto no_fields = [](const auto& entry) { return entry.second.fields().empty(); };
  return target_.fields() == std::vector<std::string>{target_field_} &&
         std::all_of(words_.begin(), words_.end(), no_fields);
}

std::string PromptTemplate::render_target(const Json& fields, const std::string& raw,
                                          const std::string& where) const {
  const auto word = words_.find(raw);
  Json with_target = fields;
  with_target[target_field_] = word == words_.end() ? raw : word->second.render(fields, where);
  add_letter(fields, raw, with_target);
  const std::string rendered = target_.render(with_target, where);
  const std::string_view text = trim(rendered);
  if (text.empty()) throw Error(ExitCode::kBadData, where + ": the target is empty");
  return std::string(text);
}

std::vector<std::string> PromptTemplate::options_of(const Task& task, const Record& record) const {
  if (!fixed_options_.empty()) return fixed_options_;
  std::vector<std::string> options;
  for (const std::string& label : task.labels) {
    push_unique(options, render_target(record.fields, label, record.where));
  }
  if (task.labels.empty() && record.fields.contains("choices")) {
    for (const auto& choice :
         json_get<std::vector<std::string>>(record.fields, "choices", record.where)) {
      push_unique(options, render_target(record.fields, choice, record.where));
    }
  }
  return options;
}

Example PromptTemplate::render(const Task& task, const Record& record) const {
  const std::string& where = record.where;
  Example example;
  example.task = task.name;
  example.where = where;
  const std::string input = input_.render(record.fields, where);
  example.input = std::string(trim(input));
  if (example.input.empty()) throw Error(ExitCode::kBadData, where + ": the input is empty");
  const auto raw = json_get<std::string>(record.fields, target_field_.c_str(), where);
  example.targets.push_back(render_target(record.fields, raw, where));
  if (!task.accepted.empty()) {
    for (const auto& text :
         json_get<std::vector<std::string>>(record.fields, task.accepted.c_str(), where)) {
      if (!trim(text).empty())
        push_unique(example.targets, render_target(record.fields, text, where));
    }
  }
  example.options = options_of(task, record);
  if (spec_.numbers) {
    example.options_are_numbers = true;
    example.written = nearest_number(numbers_, example.targets.at(0), where);
  }
  return example;
}

std::string PromptTemplate::render_input(const Json& fields) const {
  const std::string input = input_.render(fields, "prompt");
  return std::string(trim(input));
}

}  // namespace trivium
