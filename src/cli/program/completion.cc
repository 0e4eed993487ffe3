#include "cli/program/completion.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "cli/program/manual.h"

namespace trivium::cli {
namespace {

// A node of the tree of commands, and its path in it: "", " routes", " routes show".
struct Command {
  const CLI::App* app;
  std::string path;
};

std::vector<Command> all_commands(const CLI::App& app) {
  std::vector<Command> commands = {{&app, ""}};
  for (size_t i = 0; i < commands.size(); ++i) {
    const Command parent = commands[i];
    for (const CLI::App* inner : shown_commands(*parent.app)) {
      commands.push_back({inner, parent.path + " " + inner->get_name()});
    }
  }
  return commands;
}

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  if (option.get_group().empty()) return flags;
  for (const std::string& name : option.get_snames()) flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flags.push_back("--" + name);
  return flags;
}

std::string words_of(const CLI::App& app, const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* inner : shown_commands(command)) words.push_back(inner->get_name());
  std::vector<const CLI::Option*> options = command.get_options();
  if (&command != &app) {  // the program's own flags may stand behind a command as well
    for (const CLI::Option* option : app.get_options()) options.push_back(option);
  }
  for (const CLI::Option* option : options) {
    for (const std::string& flag : flags_of(*option)) {
      if (std::find(words.begin(), words.end(), flag) == words.end()) words.push_back(flag);
    }
  }
  return CLI::detail::join(words, " ");
}

// CLI11 describes the check for one of a few values as "{first,second}" behind the type.
std::string choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return "";
  std::string choices = type.substr(begin + 1, end - begin - 1);
  for (char& c : choices) {
    if (c == ',') c = ' ';
  }
  return choices;
}

// The cases of flags that take a value: its choices, or nothing, which stands for files.
void write_values(std::ostream& out, const Command& command) {
  for (const CLI::Option* option : command.app->get_options()) {
    if (option->get_type_size() == 0) continue;
    std::string pattern;
    for (const std::string& flag : flags_of(*option)) {
      pattern += (pattern.empty() ? "'" : " | '") + command.path + " " + flag + "'";
    }
    if (!pattern.empty()) {
      out << "    " << pattern << ") words='" << choices_of(*option) << "' ;;\n";
    }
  }
}

}  // namespace

std::string bash_completion(const CLI::App& app, const std::string& name) {
  const std::vector<Command> commands = all_commands(app);
  const bool is_train = name == "trivium-train";
  std::string paths;
  for (const Command& command : commands) {
    if (!command.path.empty()) paths += (paths.empty() ? "'" : " | '") + command.path + "'";
  }
  std::ostringstream out;
  out << "# Completion for bash; written by `" << name << " completion bash`.\n";
  if (!is_train) {
    out << "if [[ -r ${BASH_SOURCE[0]%/*}/trivium-train ]]; then\n"
           "  source \"${BASH_SOURCE[0]%/*}/trivium-train\"\n"
           "  return\n"
           "fi\n";
  }
  out << "_trivium() {\n"
         "  local i path= words= current=${COMP_WORDS[COMP_CWORD]}\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    case \"$path ${COMP_WORDS[i]}\" in\n      "
      << paths
      << ") path+=\" ${COMP_WORDS[i]}\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path ${COMP_WORDS[COMP_CWORD - 1]}\" in\n";
  for (const Command& command : commands) write_values(out, command);
  out << "    *)\n      case \"$path\" in\n";
  for (const Command& command : commands) {
    out << "        '" << command.path << "') words='" << words_of(app, *command.app) << "' ;;\n";
  }
  out << "      esac ;;\n"
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "}\n"
         "complete -o bashdefault -o default -F _trivium trivium"
      << (is_train ? " trivium-train" : "") << "\n";
  return out.str();
}

}  // namespace trivium::cli
