// The user's own editor, for a text that is too long for a line.
#pragma once

#include <string>

namespace trivium::cli {

// Opens the program that $VISUAL, else $EDITOR names on `text`, in a file that only the user can
// read and that is removed afterwards, and waits until it ends. Returns what the file holds then,
// valid UTF-8 without the newlines at its end. The terminal must be as a program finds it. Error
// kUnavailable where no editor is named or it cannot be started; kBadData where it ended with
// another code than 0 or left more than 1 MiB; kIo.
std::string edit_in_editor(const std::string& text);

}  // namespace trivium::cli
