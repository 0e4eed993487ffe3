// Paths that a command is given, looked at before it reads anything.
#pragma once

#include <string>
#include <vector>

namespace trivium::cli {

// Where a folder can be made: `path` is not empty, and neither it nor a folder on the way to it is
// a file. `name` is the flag or setting, for the message. Error kConfig.
void check_output_folder(const std::string& path, const std::string& name);

// The same for a file's path, which is no folder either.
void check_output_file(const std::string& path, const std::string& name);

// What is written follows the name: `path` ends in one of `endings`, or is no regular file ("-", a
// device). Error kUsage.
void check_ending(const std::string& path, const std::vector<std::string>& endings,
                  const std::string& name);

// What a training starts from is named. Error kConfig.
void check_start(const std::string& path, const std::string& name);

}  // namespace trivium::cli
