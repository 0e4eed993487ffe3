#include "cli/program/program.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <string_view>

#include "cli/program/build_info.h"
#include "cli/program/completion.h"
#include "cli/program/environment.h"
#include "cli/program/json_flag.h"
#include "cli/program/manual.h"
#include "cli/program/reference.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/logging.h"
#include "core/base/text.h"
#include "core/text/display_text.h"

namespace trivium::cli {
namespace {

constexpr const char* kDescription =
    "Trivium: text-to-text models whose layers hold pools of experts, with a route for every task.";
constexpr const char* kFooter =
    "Exit codes: 0 done, 1 internal error, 2 wrong usage, 64 bad configuration, 65 bad data,\n"
    "66 missing input, 69 device or program not available, 70 training diverged or the\n"
    "self-test failed, 73 refuses to overwrite, 74 read or write failure, 75 stopped and\n"
    "resumable, 76 bad checkpoint, 130 Ctrl-C.\n"
    "With --json an error is {\"error\": {\"code\", \"kind\", \"message\"}} on standard error.\n"
    "Flags that name a variable of the environment (Env:) take their value from it where the\n"
    "command line has none: command line, environment, settings file, default.\n"
    "TRIVIUM COMMAND --help describes a command.";

// How an error is said on standard error: a line for people, or, where the command line has --json,
// {"error": {"code", "kind", "message"}} in a line. Standard output has results only.
enum class ErrorForm { kText, kJson };

ErrorForm error_form(int argc, char** argv) {
  const bool is_json = std::any_of(
      argv, argv + argc, [](const char* word) { return std::string_view(word) == kJsonFlag; });
  return is_json ? ErrorForm::kJson : ErrorForm::kText;
}

// A message may repeat what a file says, and a terminal would act on some of that; JSON's strings
// escape it.
int fail(ErrorForm form, ExitCode code, const std::string& message) {
  std::string line = "error: " + sanitise(message);
  if (form == ErrorForm::kJson) {
    line = to_json_line(
        {{"error",
          {{"code", static_cast<int>(code)}, {"kind", name_of(code)}, {"message", message}}}});
  }
  std::fprintf(stderr, "%s\n", line.c_str());
  return static_cast<int>(code);
}

// "trivium" or "trivium-train", though people start the second as the first.
std::string program_name() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "trivium" : program.filename().string();
}

// What the packages' man pages and completions and docs/reference.md are made with. Not for users:
// hidden from the help.
void add_hidden_commands(CLI::App& app) {
  app.add_subcommand("man", "write the man page")->group("")->callback([&app] {
    std::cout << man_page(app, program_name(), build_info().version);
  });
  app.add_subcommand("reference", "write the commands as Markdown")->group("")->callback([&app] {
    std::cout << markdown_reference(app);
  });
  CLI::App* completion = app.add_subcommand("completion", "write what completes commands");
  completion->group("")->require_subcommand(1);
  for (const auto& [name, shell] : kShellNames) {
    completion->add_subcommand(name, "for " + name)->callback([&app, shell = shell] {
      std::cout << completion_script(app, program_name(), shell);
    });
  }
}

// The command that the arguments came to: "trivium task show".
struct Place {
  const CLI::App* command;
  std::string words;
};

Place place_of(const CLI::App& app) {
  Place place{&app, app.get_name()};
  for (auto inner = app.get_subcommands(); !inner.empty();
       inner = place.command->get_subcommands()) {
    place.command = inner.front();
    place.words += " " + place.command->get_name();
  }
  return place;
}

std::vector<std::string> names_of_commands(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* inner : shown_commands(command)) names.push_back(inner->get_name());
  return names;
}

// "there is no command generat; did you mean generate?" where `command` got a word that is none of
// its commands; "" otherwise.
std::string unknown_command(const CLI::App& app, const CLI::App& command) {
  const std::vector<std::string> known = names_of_commands(command), rest = app.remaining(true);
  if (known.empty() || rest.empty() || rest.front().starts_with("-")) return "";
  return "there is no command " + rest.front() + name_hint(rest.front(), known);
}

// ": --chekpoint; did you mean --checkpoint?" for the first argument that `command` does not know
// and that is near to one that it does.
std::string suggestion(const CLI::App& command, int argc, char** argv) {
  std::vector<std::string> flags, commands;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
    if (app != &command) commands.push_back(app->get_name());
  }
  commands.push_back(command.get_name());  // with those above it they were understood
  const std::vector<std::string> inner = names_of_commands(command);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool is_flag = argument.starts_with("--");
    const std::string word = is_flag ? argument.substr(0, argument.find('=')) : argument;
    const std::vector<std::string>& known = is_flag ? flags : inner;
    const std::vector<std::string>& understood = is_flag ? flags : commands;
    if (std::find(understood.begin(), understood.end(), word) != understood.end()) continue;
    const std::string near = did_you_mean(word, known);
    if (!near.empty()) return ": " + word + near;
  }
  return "";
}

// What is wrong with the command line, and where its help is.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error, int argc,
                          char** argv) {
  const Place place = place_of(app);
  std::string problem = unknown_command(app, *place.command);
  if (problem.empty()) {
    problem = error.what();
    const std::string variable =
        variable_behind(problem, *place.command, {argv + std::min(argc, 1), argv + argc});
    problem += variable.empty() ? suggestion(*place.command, argc, argv)
                                : "; " + variable + " in the environment says so";
  }
  return problem + "; see " + place.words + " --help";
}

int run(CLI::App& app, int argc, char** argv,
        const std::function<void(CLI::App& app, int& status)>& add_commands) {
  const ErrorForm form = error_form(argc, argv);
  int status = 0;
  try {
    add_commands(app, status);
    add_hidden_commands(app);
    read_environment(app);
    app.parse(argc, argv);
    return status;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    return fail(form, ExitCode::kUsage, usage_problem(app, e, argc, argv));
  } catch (const Error& e) {
    return fail(form, e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return fail(form, ExitCode::kInternal, "out of memory; lower the batch size or the lengths");
  } catch (const std::exception& e) {
    return fail(form, ExitCode::kInternal, std::string("internal error: ") + e.what());
  }
}

// Writes out what is still in the buffers of standard output. A result that did not get there (a
// full disk) is not done, whatever the command returned.
int flush_output(int status, ErrorForm form) {
  errno = 0;
  std::cout.flush();
  std::fflush(stdout);
  const int error = errno;
  if ((std::cout && std::ferror(stdout) == 0) || status != 0) return status;
  std::string message = "cannot write standard output";
  if (error != 0) message += std::string(": ") + std::strerror(error);
  return fail(form, ExitCode::kIo, message);
}

}  // namespace

int run_program(int argc, char** argv,
                const std::function<void(CLI::App& app, int& status)>& add_commands) {
  CLI::App app(kDescription, "trivium");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  bool quiet = false, verbose = false;
  app.add_flag("-q,--quiet", quiet, "only warnings and errors on standard error");
  app.add_flag("-v,--verbose", verbose, "more on standard error");
  app.set_version_flag(
      "--version", [] { return version_text(program_name()); },
      "how this program was built, and what it runs on here");
  app.parse_complete_callback([&] {
    init_logging(quiet     ? Verbosity::kQuiet
                 : verbose ? Verbosity::kDebug
                           : Verbosity::kNormal,
                 sanitise);
  });
  return flush_output(run(app, argc, argv, add_commands), error_form(argc, argv));
}

}  // namespace trivium::cli
