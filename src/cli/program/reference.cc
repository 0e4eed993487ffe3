#include "cli/program/reference.h"

#include <sstream>

#include "cli/program/environment.h"
#include "cli/program/manual.h"

namespace trivium::cli {
namespace {

// Text as a cell of a table takes it: on one line, with no bar, bracket or star that means
// something.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

// CLI11 describes a value as "TYPE", and what it has to be behind a colon: "INT:INT in [1 - 9]",
// "TEXT:{first,second}".
std::string value_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::string limits = type.substr(type.find(':') + 1);  // all of it where there is no colon
  if (limits.starts_with('{')) {
    limits = limits.substr(1, limits.rfind('}') - 1);
    return "one of " + CLI::detail::join(CLI::detail::split(limits, ','), ", ");
  }
  return limits;
}

std::string meaning_of(const CLI::Option& option) {
  const std::string variable = environment_name(option);
  return option.get_description() + (variable.empty() ? "" : " (variable: " + variable + ")");
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

void write_options(std::ostream& out, const CLI::App& command) {
  const std::vector<const CLI::Option*> options = shown_options(command);
  if (options.empty()) return;
  out << "| Flag | Value | Default | Meaning |\n| --- | --- | --- | --- |\n";
  for (const CLI::Option* option : options) {
    const std::string name = option->get_name(option->get_positional(), true);
    out << "| " << code(name) << " | " << cell(value_of(*option)) << " | "
        << code(option->get_default_str()) << " | " << cell(meaning_of(*option)) << " |\n";
  }
  out << "\n";
}

void write_command(std::ostream& out, const CLI::App& command, const std::string& before) {
  const std::string name = before + " " + command.get_name();
  out << "## " << name << "\n\n" << command.get_description() << "\n\n";
  write_options(out, command);
  const std::string footer = own_footer(command);
  if (!footer.empty()) out << "```\n" << footer << "\n```\n\n";
  for (const CLI::App* inner : shown_commands(command)) write_command(out, *inner, name);
}

}  // namespace

std::string markdown_reference(const CLI::App& app) {
  std::ostringstream out;
  out << "## Flags of every command\n\n";
  write_options(out, app);
  if (!app.get_footer().empty()) out << "```\n" << app.get_footer() << "\n```\n\n";
  for (const CLI::App* command : shown_commands(app)) {
    write_command(out, *command, app.get_name());
  }
  return out.str();
}

}  // namespace trivium::cli
