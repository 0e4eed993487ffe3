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

// The program's own flags may stand behind a command as well.
std::vector<const CLI::Option*> options_behind(const CLI::App& app, const CLI::App& command) {
  std::vector<const CLI::Option*> options = command.get_options();
  if (&command != &app) {
    for (const CLI::Option* option : app.get_options()) options.push_back(option);
  }
  return options;
}

std::string words_of(const CLI::App& app, const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* inner : shown_commands(command)) words.push_back(inner->get_name());
  for (const CLI::Option* option : options_behind(app, command)) {
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

// The words of bash and zsh for a place in the line, in their `case`: what a shell writes around
// them.
struct CaseSyntax {
  const char* open;   // before a pattern
  const char* words;  // between pattern and words
  const char* close;
};
constexpr CaseSyntax kBashCase{"", "words='", "' ;;\n"}, kZshCase{"(", "offered=(", ") ;;\n"};

// The cases of flags that take a value: its choices, or nothing, which stands for files.
void write_values(std::ostream& out, const Command& command, const CaseSyntax& syntax) {
  for (const CLI::Option* option : command.app->get_options()) {
    if (option->get_type_size() == 0) continue;
    std::string pattern;
    for (const std::string& flag : flags_of(*option)) {
      pattern += (pattern.empty() ? "'" : " | '") + command.path + " " + flag + "'";
    }
    if (pattern.empty()) continue;
    out << "    " << syntax.open << pattern << ") " << syntax.words << choices_of(*option)
        << syntax.close;
  }
}

// The part of a script that bash and zsh share but for signs: `at` holds the commands so far,
// `before` is the word before the one that is typed.
void write_cases(std::ostream& out, const CLI::App& app, const std::vector<Command>& commands,
                 const std::string& before, const CaseSyntax& syntax) {
  out << "  case \"$at " << before << "\" in\n";
  for (const Command& command : commands) write_values(out, command, syntax);
  out << "    " << syntax.open << "*)\n      case \"$at\" in\n";
  for (const Command& command : commands) {
    out << "        " << syntax.open << "'" << command.path << "') " << syntax.words
        << words_of(app, *command.app) << syntax.close;
  }
  out << "      esac ;;\n  esac\n";
}

// "'routes' | 'routes show'": every path of commands.
std::string paths_of(const std::vector<Command>& commands, const std::string& between) {
  std::string paths;
  for (const Command& command : commands) {
    if (!command.path.empty()) paths += (paths.empty() ? "'" : between + "'") + command.path + "'";
  }
  return paths;
}

void write_bash(std::ostream& out, const CLI::App& app, const std::vector<Command>& commands,
                bool is_train) {
  if (!is_train) {
    out << "if [[ -r ${BASH_SOURCE[0]%/*}/trivium-train ]]; then\n"
           "  source \"${BASH_SOURCE[0]%/*}/trivium-train\"\n"
           "  return\n"
           "fi\n";
  }
  out << "_trivium() {\n"
         "  local i at= words= current=${COMP_WORDS[COMP_CWORD]}\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    case \"$at ${COMP_WORDS[i]}\" in\n      "
      << paths_of(commands, " | ")
      << ") at+=\" ${COMP_WORDS[i]}\" ;;\n"
         "    esac\n"
         "  done\n";
  write_cases(out, app, commands, "${COMP_WORDS[COMP_CWORD - 1]}", kBashCase);
  out << "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "}\n"
         "complete -o bashdefault -o default -F _trivium trivium"
      << (is_train ? " trivium-train" : "") << "\n";
}

// zsh reads the file as the body of a function when it is first needed.
void write_zsh(std::ostream& out, const CLI::App& app, const std::vector<Command>& commands,
               bool is_train) {
  if (!is_train) {
    out << "if (( $+functions[_trivium-train] )); then\n"
           "  _trivium-train \"$@\"\n"
           "  return\n"
           "fi\n";
  }
  out << "local i at=\n"
         "local -a offered\n"
         "for ((i = 2; i < CURRENT; ++i)); do\n"
         "  case \"$at ${words[i]}\" in\n    ("
      << paths_of(commands, " | ")
      << ") at+=\" ${words[i]}\" ;;\n"
         "  esac\n"
         "done\n";
  write_cases(out, app, commands, "${words[CURRENT-1]}", kZshCase);
  out << "(( $#offered )) && compadd -- \"${offered[@]}\" || _files\n";
}

// In single quotes of fish.
std::string in_fish(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + "'";
}

void write_fish_option(std::ostream& out, const std::string& begin, const CLI::Option& option) {
  if (option.get_group().empty() || flags_of(option).empty()) return;
  out << begin;
  for (const std::string& name : option.get_snames()) out << " -s " << name;
  for (const std::string& name : option.get_lnames()) out << " -l " << name;
  if (option.get_type_size() != 0) {
    const std::string choices = choices_of(option);
    out << (choices.empty() ? " -r" : " -x -a " + in_fish(choices));
  }
  out << " -d " << in_fish(option.get_description()) << "\n";
}

void write_fish(std::ostream& out, const CLI::App& app, const std::vector<Command>& commands,
                bool is_train) {
  if (!is_train) {
    out << "set -l train (status dirname)/trivium-train.fish\n"
           "if test -r $train\n"
           "  source $train\n"
           "else\n";
  }
  out << "function __trivium_is_at\n"
         "  set -l at ''\n"
         "  for word in (commandline -opc)[2..]\n"
         "    switch \"$at $word\"\n"
         "      case "
      << paths_of(commands, " ")
      << "\n        set at \"$at $word\"\n"
         "    end\n"
         "  end\n"
         "  test \"$at\" = \"$argv[1]\"\n"
         "end\n";
  for (const char* program : {"trivium", "trivium-train"}) {
    if (!is_train && std::string(program) != "trivium") continue;
    for (const Command& command : commands) {
      const std::string begin =
          std::string("complete -c ") + program + " -n \"__trivium_is_at '" + command.path + "'\"";
      for (const CLI::App* inner : shown_commands(*command.app)) {
        out << begin << " -f -a " << inner->get_name() << " -d "
            << in_fish(inner->get_description()) << "\n";
      }
      for (const CLI::Option* option : options_behind(app, *command.app)) {
        const bool is_repeated = option == app.get_help_ptr() && command.app != &app;
        if (!is_repeated) write_fish_option(out, begin, *option);
      }
    }
  }
  if (!is_train) out << "end\n";
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& name, Shell shell) {
  const std::vector<Command> commands = all_commands(app);
  const bool is_train = name == "trivium-train";
  std::ostringstream out;
  if (shell == Shell::kZsh) out << "#compdef " << name << (is_train ? " trivium" : "") << "\n";
  out << "# Completion for " << name_in(kShellNames, shell) << "; written by `" << name
      << " completion " << name_in(kShellNames, shell) << "`.\n";
  switch (shell) {
    case Shell::kBash:
      write_bash(out, app, commands, is_train);
      break;
    case Shell::kZsh:
      write_zsh(out, app, commands, is_train);
      break;
    case Shell::kFish:
      write_fish(out, app, commands, is_train);
      break;
  }
  return out.str();
}

}  // namespace trivium::cli
