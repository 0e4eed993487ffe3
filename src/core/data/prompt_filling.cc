#include "core/data/prompt_filling.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/base/text.h"

namespace trivium {
namespace {

// A field's name with its colon, where it stands in the text.
struct NamedPart {
  size_t begin = 0;        // of the name
  size_t value_begin = 0;  // behind the colon
  std::string field;
};

// The first place where `name`, a word of its own, stands before a colon.
std::optional<NamedPart> find_name(std::string_view lower, const std::string& field) {
  const std::string name = to_lower_ascii(field);
  for (size_t at = lower.find(name); at != std::string_view::npos; at = lower.find(name, at + 1)) {
    const size_t behind = lower.find_first_not_of(' ', at + name.size());
    const bool begins_word =
        at == 0 || std::string_view(" \t\n\r").find(lower[at - 1]) != std::string_view::npos;
    if (begins_word && behind != std::string_view::npos && lower[behind] == ':') {
      return NamedPart{at, behind + 1, field};
    }
  }
  return std::nullopt;
}

Json value_of(const std::string& field, std::string_view text) {
  if (field != "choices") return trim(text);
  Json choices = Json::array();
  for (const std::string& choice : split(text, '|')) {
    if (!trim(choice).empty()) choices.push_back(trim(choice));
  }
  return choices;
}

std::optional<Json> split_named_fields(const std::vector<std::string>& fields,
                                       std::string_view text) {
  const std::string lower = to_lower_ascii(text);
  std::vector<NamedPart> parts;
  for (const std::string& field : fields) {
    const auto part = find_name(lower, field);
    if (!part) return std::nullopt;
    parts.push_back(*part);
  }
  std::sort(parts.begin(), parts.end(),
            [](const NamedPart& a, const NamedPart& b) { return a.begin < b.begin; });
  if (parts.empty() || parts[0].begin != 0) return std::nullopt;
  Json values = Json::object();
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = i + 1 < parts.size() ? parts[i + 1].begin : text.size();
    values[parts[i].field] =
        value_of(parts[i].field, text.substr(parts[i].value_begin, end - parts[i].value_begin));
  }
  return values;
}

// Words around a field as a person types them: without the mark between fields.
std::string as_typed(std::string_view words) {
  std::string typed(words);
  std::replace(typed.begin(), typed.end(), kFieldSeparator, ' ');
  return std::string(trim(typed));
}

// `text` without the words that the template puts before its only field (or, where there are none,
// those behind it), where it has them already: a second time they would only be noise.
std::string_view without_words_of(const PromptTemplate& prompt, const std::string& field,
                                  std::string_view text) {
  constexpr std::string_view kMark = "\x1f";
  const std::string shown = to_lower_ascii(prompt.render_input({{field, kMark}}));
  const size_t mark = shown.find(kMark);
  if (mark == std::string::npos) return text;
  const std::string before = as_typed(std::string_view(shown).substr(0, mark));
  const std::string behind = as_typed(std::string_view(shown).substr(mark + kMark.size()));
  const std::string lower = to_lower_ascii(text);
  std::string_view rest = text;
  if (!before.empty() && lower.starts_with(before)) {
    rest.remove_prefix(before.size());
  } else if (before.empty() && !behind.empty() && lower.ends_with(behind)) {
    rest.remove_suffix(behind.size());
  }
  return trim(rest).empty() ? text : trim(rest);
}

}  // namespace

std::optional<Json> fields_of_text(const PromptTemplate& prompt, const std::string& text) {
  const std::vector<std::string>& fields = prompt.input_fields();
  const std::string_view trimmed = trim(text);
  if (auto values = split_named_fields(fields, trimmed)) return values;
  if (fields.size() != 1) return std::nullopt;
  return Json{{fields[0], value_of(fields[0], without_words_of(prompt, fields[0], trimmed))}};
}

}  // namespace trivium
