// trivium repl: a conversation with a checkpoint, at a terminal or through a pipe.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/model_flags.h"
#include "cli/repl/repl_completion.h"
#include "cli/repl/repl_session.h"
#include "cli/terminal/line_editor.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"

namespace trivium::cli {
namespace {

constexpr size_t kMaxLineBytes = size_t{1} << 20;

struct ReplFlags {
  ModelFlags model;
  std::string task;
  bool no_history = false;
};

// Runs one line; whatever goes wrong with it is a line on standard error that begins with `where`,
// but an answer that `out` does not take ends the conversation: Error kIo. Returns whether all went
// well.
bool run_guarded(ReplSession& session, const std::string& line, const std::string& where,
                 const OutputStream& out) {
  try {
    if (line.size() > kMaxLineBytes) {
      throw Error(ExitCode::kBadData, "a line of more than 1 MiB; shorten it");
    }
    session.run_line(line);
    return true;
  } catch (const Error& e) {
    if (out.bad()) throw;
    write_aside("error: " + where + sanitise(e.what()) + '\n');
  } catch (const std::exception& e) {
    write_aside("error: " + where + "internal error: " + sanitise(e.what()) + '\n');
  }
  return false;
}

// Each line of standard input is a prompt or a command. kBadData when one of them failed.
ExitCode run_piped(const ReplFlags& flags) {
  choose_broken_pipe(BrokenPipe::kEndsQuietly);
  LoadedModel model = load_model(flags.model);
  OutputStream out;
  const std::atomic<bool> never{false};
  const LineHistory history("");
  const TerminalStyle style = style_of_standard_output(/*interactive=*/false);
  ReplSession session(model, history, style, ReplSession::Reader::kPipe, never, out);
  session.choose_task(flags.task);
  LineReader reader(std::cin, "stdin", kMaxLineBytes + 1);
  bool all_well = true;
  while (!session.wants_to_quit()) {
    const std::optional<LineReader::Line> line = reader.next();
    if (!line) break;
    const std::string where = "line " + std::to_string(line->number) + ": ";
    all_well = run_guarded(session, line->text, where, out) && all_well;
  }
  session.end_input();
  return all_well ? ExitCode::kOk : ExitCode::kBadData;
}

// Reads lines from the terminal until the user leaves. kInterrupted where that was by Ctrl-C.
ExitCode converse(ReplSession& session, LineEditor& editor, TerminalStyle& style,
                  OutputStream& out) {
  bool asked_to_leave = false;
  while (!session.wants_to_quit()) {
    if (!session.has_begun()) out << '\n';
    out << std::flush;
    const LineEditor::Result line = editor.read_line(session.prompt());
    style = style_of_standard_output(/*interactive=*/true);  // the window may have another width
    if (line.outcome == LineEditor::Outcome::kEnd) break;
    if (line.outcome == LineEditor::Outcome::kLine) {
      asked_to_leave = false;
      run_guarded(session, line.text, "", out);
      continue;
    }
    const bool leaves = line.text.empty() && !session.has_begun();
    session.drop_begun();
    if (leaves && asked_to_leave) return ExitCode::kInterrupted;
    if (leaves) out << "Ctrl-C again leaves; so do Ctrl-D and /quit" << std::endl;
    asked_to_leave = leaves;
  }
  return ExitCode::kOk;
}

ExitCode run_interactive(const ReplFlags& flags) {
  InterruptWatch interrupts;
  const GeneratorOptions options = {.stop = &interrupts.interrupted()};
  LoadedModel model = load_model(flags.model, options);
  OutputStream out;
  LineHistory history(flags.no_history ? "" : LineHistory::default_file());
  TerminalStyle style = style_of_standard_output(/*interactive=*/true);
  ReplSession session(model, history, style, ReplSession::Reader::kPerson, interrupts.interrupted(),
                      out);
  session.choose_task(flags.task);
  const Completer completer = [&](std::string_view line) {
    return complete_repl_line(line, session.task_names());
  };
  LineEditor editor(interrupts, history, completer, style, &session.background());
  if (interrupts.interrupted().load()) return ExitCode::kInterrupted;
  out << session.banner() << std::flush;
  if (!history.problem().empty()) spdlog::warn("{}", history.problem());
  return converse(session, editor, style, out);
}

}  // namespace

void add_repl_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<ReplFlags>();
  CLI::App* command = app.add_subcommand("repl", "talk with a model and see its routes");
  add_model_flags(*command, flags->model);
  command->add_option("--task", flags->task, "the task of every prompt [the nearest of each]");
  command->add_flag("--no-history", flags->no_history, "neither read nor write the history file");
  command->footer(
      "Where standard input is no terminal, each of its lines is a prompt or a /command; answers\n"
      "and routes go to standard output. A line that fails is reported on standard error, the "
      "rest\n"
      "goes on, and the exit code is 65. /help in the program lists its commands.\n"
      "Example:\n  trivium repl --task sst2");
  command->callback([flags, &status] {
    const bool interactive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    status = static_cast<int>(interactive ? run_interactive(*flags) : run_piped(*flags));
  });
}

}  // namespace trivium::cli
