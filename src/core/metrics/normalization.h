// How texts are made comparable. All of it counts characters as Python's str does, since the
// reference scores are Python's; ill-formed UTF-8 counts as U+FFFD.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trivium {

// Unicode lower case, as Python's str.lower().
std::string to_lower_unicode(std::string_view text);

// The 32 characters of Python's string.punctuation.
bool is_ascii_punctuation(int32_t code_point);

// The pieces between Unicode white space, as Python's str.split().
std::vector<std::string> split_on_white_space(std::string_view text);

// The words of an answer in SQuAD's normal form: lower case, no ASCII punctuation, no whole words
// "a", "an" and "the".
std::vector<std::string> normalized_words(std::string_view text);

}  // namespace trivium
