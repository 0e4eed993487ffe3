#include "cli/program/manual.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "cli/program/environment.h"

namespace trivium::cli {
namespace {

constexpr const char* kEnvironment =
    ".SH ENVIRONMENT\n"
    ".TP\n.B TRIVIUM_HOME\n"
    "the folder that holds prompts, configs and checkpoints [share/trivium beside the program's "
    "folder]\n"
    ".TP\n.B TRIVIUM_TRAIN\n"
    "the program for the commands that need LibTorch [trivium\\-train beside the program]\n"
    ".TP\n.B NO_COLOR\n"
    "set: no colours\n";

// Text as roff takes it: no escapes, no hyphens for minus signs, no requests at a line's beginning.
std::string roff(const std::string& text) {
  std::string escaped;
  bool at_line_begin = true;
  for (const char c : text) {
    if (at_line_begin && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
    at_line_begin = c == '\n';
  }
  return escaped;
}

void write_option(std::ostream& out, const CLI::Option& option) {
  out << ".TP\n\\fB" << roff(option.get_name(option.get_positional(), true)) << "\\fR";
  if (!option.get_type_name().empty()) {
    out << " \\fI" << roff(option.get_type_name()) << "\\fR";
    if (!option.get_default_str().empty()) out << " [" << roff(option.get_default_str()) << "]";
  }
  out << "\n" << roff(option.get_description()) << "\n";
}

void write_environment(std::ostream& out) {
  out << kEnvironment;
  for (const std::string& flag : environment_flags()) {
    out << ".TP\n.B " << environment_name(flag) << "\nthe value of " << roff("--" + flag)
        << " where a command takes it and the command line has none\n";
  }
}

void write_options(std::ostream& out, const CLI::App& command) {
  for (const CLI::Option* option : shown_options(command)) write_option(out, *option);
}

// Tables and examples of a help's end keep their lines.
void write_footer(std::ostream& out, const CLI::App& command) {
  const std::string footer = own_footer(command);
  if (!footer.empty()) out << ".PP\n.nf\n" << roff(footer) << "\n.fi\n";
}

void write_command(std::ostream& out, const CLI::App& command, const std::string& before) {
  const std::string name = before + " " + command.get_name();
  out << ".SS " << roff(name) << "\n" << roff(command.get_description()) << "\n";
  write_options(out, command);
  write_footer(out, command);
  for (const CLI::App* inner : shown_commands(command)) write_command(out, *inner, name);
}

}  // namespace

std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::vector<const CLI::Option*> shown_options(const CLI::App& command) {
  return command.get_options([&](const CLI::Option* option) {
    const bool is_repeated = option == command.get_help_ptr() && command.get_parent() != nullptr;
    return !option->get_group().empty() && !is_repeated;
  });
}

std::string own_footer(const CLI::App& command) {
  const std::string footer = command.get_footer();
  return footer == command.get_parent()->get_footer() ? "" : footer;
}

std::string man_page(const CLI::App& app, const std::string& name, const std::string& version) {
  std::ostringstream out;
  std::string title = name;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  out << ".TH \"" << roff(title) << "\" 1 \"\" \"trivium " << version << "\" \"User Commands\"\n"
      << ".SH NAME\n"
      << roff(name)
      << " \\- text\\-to\\-text models with pools of experts and a route for every task\n"
      << ".SH SYNOPSIS\n.B trivium\n.I COMMAND\n[\\fIOPTION\\fR...]\n"
      << ".SH DESCRIPTION\n"
      << roff(app.get_description()) << "\n.SH OPTIONS\nOf every command:\n";
  write_options(out, app);
  out << ".SH COMMANDS\n";
  for (const CLI::App* command : shown_commands(app)) write_command(out, *command, "trivium");
  write_environment(out);
  out << ".SH EXIT STATUS\n.nf\n" << roff(app.get_footer()) << "\n.fi\n";
  return out.str();
}

}  // namespace trivium::cli
