// From what a user types to the fields of a template.
#pragma once

#include <optional>
#include <string>

#include "core/base/json.h"
#include "core/data/prompt_template.h"

namespace trivium {

// The input fields that `text` gives to the template, or nothing where the text is to be taken as
// it is. A text of the form "premise: ... hypothesis: ..." that names every field, and begins with
// one, is taken apart (capital letters don't matter; choices are parted by "|"); else the text is
// the only field of a template that has but one, without the template's own words where it has them
// around it.
std::optional<Json> fields_of_text(const PromptTemplate& prompt, const std::string& text);

}  // namespace trivium
