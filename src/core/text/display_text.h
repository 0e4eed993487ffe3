// What text looks like on a terminal, and text that a terminal does not act on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trivium {

// `text` with everything that a terminal would act on replaced by U+FFFD: control characters,
// bidirectional overrides, ill-formed UTF-8. Newlines and tabs stay.
std::string sanitise(std::string_view text);

// Columns that well-formed UTF-8 takes: 2 for wide characters (East Asian, emoji), 0 for combining
// ones.
size_t display_width(std::string_view text);

// `text`, of well-formed UTF-8, padded with spaces on the right, or on the left, to `columns`.
std::string pad(std::string text, size_t columns);
std::string pad_left(std::string text, size_t columns);

// The beginning of `text`, whole characters of well-formed UTF-8, that fits `columns`.
std::string_view fitting_prefix(std::string_view text, size_t columns);

}  // namespace trivium
