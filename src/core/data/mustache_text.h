// Mustache text from untrusted files, rendered with nlohmann JSON fields.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace trivium {

// How the choice at `place` (from 0) is called: A to Z, then by its number.
std::string choice_letter(size_t place);

// Error kConfig: "WHERE: WHAT", for a template or the file that holds it.
[[noreturn]] void bad_template(const std::string& where, const std::string& what);

// A parsed text in the part of Mustache that prompts need: {{field}}, {{#field}}…{{/field}} and
// {{^field}}…{{/field}}. No HTML escaping; no partials, lambdas, comments or other delimiters.
// {{sep}} is the separator between fields (kFieldSeparator, U+001E), and no field holds one when it
// is rendered. Inside {{#choices}} the fields are those of one choice: {{letter}} (A, B, C…) and
// {{text}}. A section on text is rendered when the text is not empty. Rendering is bounded, and
// safe from several threads at once.
class MustacheText {
 public:
  // Error kConfig, beginning with `where`, for a malformed or over-long (16 KiB) text.
  MustacheText(const std::string& text, const std::string& where);
  ~MustacheText();
  MustacheText(MustacheText&&) noexcept;
  MustacheText& operator=(MustacheText&&) noexcept;

  // The record's fields that the text uses, each once, in order.
  const std::vector<std::string>& fields() const { return fields_; }

  // Renders with `fields`, an object of strings and lists of strings. Error kBadData, beginning
  // with `where`, when a field is missing or the result would be longer than 4 MiB.
  std::string render(const Json& fields, const std::string& where) const;

 private:
  struct Parsed;
  std::vector<std::string> fields_;
  size_t size_ = 0;
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace trivium
