#include "cli/program/environment.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace trivium::cli {
namespace {

// The long name of `option` that the environment may give; "" for another option.
std::string name_of(const CLI::Option& option) {
  const std::vector<std::string>& flags = environment_flags();
  for (const std::string& name : option.get_lnames()) {
    if (std::find(flags.begin(), flags.end(), name) != flags.end()) return name;
  }
  return "";
}

bool is_given(const std::string& flag, const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return argument == flag || argument.starts_with(flag + "=");
  });
}

}  // namespace

const std::vector<std::string>& environment_flags() {
  static const std::vector<std::string> flags = {
      "api-key", "batch-size", "checkpoint", "compute", "device",  "expert-threshold",
      "gym",     "max-input",  "on-long",    "quiet",   "threads", "verbose"};
  return flags;
}

std::string environment_name(const std::string& flag) {
  std::string name = "TRIVIUM_" + flag;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return name;
}

std::string environment_name(const CLI::Option& option) {
  const std::string name = name_of(option);
  return name.empty() ? "" : environment_name(name);
}

void name_environment(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    const std::string variable = environment_name(*option);
    if (!variable.empty()) option->envname(variable);
  }
}

void read_environment(CLI::App& app) {
  app.preparse_callback([&app](size_t /*remaining*/) { name_environment(app); });
  for (CLI::App* inner : app.get_subcommands([](CLI::App*) { return true; })) {
    read_environment(*inner);
  }
}

std::string variable_behind(const std::string& problem, const CLI::App& command,
                            const std::vector<std::string>& arguments) {
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      const std::string name = name_of(*option);
      if (name.empty() || problem.find("--" + name) == std::string::npos) continue;
      const std::string variable = environment_name(name);
      if (std::getenv(variable.c_str()) != nullptr && !is_given("--" + name, arguments)) {
        return variable;
      }
    }
  }
  return "";
}

}  // namespace trivium::cli
