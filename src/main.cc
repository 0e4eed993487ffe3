// The table of commands and the one place where errors become a line and an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "base/logging.h"
#include "base/memory.h"
#include "commands/command.h"
#include "commands/token_gates.h"

namespace {

constexpr const char* kDescription =
    "Trivium: text-to-text models whose layers hold pools of experts, with a route for every task.";
constexpr const char* kFooter =
    "Exit codes: 0 done, 1 internal error, 2 wrong usage, 64 bad configuration, 65 bad data,\n"
    "66 missing input, 69 device not available, 70 training diverged, 73 refuses to overwrite,\n"
    "74 read or write failure, 75 stopped and resumable, 76 bad checkpoint, 130 Ctrl-C.\n"
    "TRIVIUM COMMAND --help describes a command.";

int fail(trivium::ExitCode code, const char* message) {
  std::fprintf(stderr, "error: %s\n", message);
  return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
  using trivium::ExitCode;
  int status = 0;
  trivium::keep_freed_memory();
  CLI::App app(kDescription, "trivium");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  bool quiet = false, verbose = false;
  app.add_flag("-q,--quiet", quiet, "only warnings and errors on standard error");
  app.add_flag("-v,--verbose", verbose, "more on standard error");
  app.parse_complete_callback([&] {
    trivium::init_logging(quiet     ? trivium::Verbosity::kQuiet
                          : verbose ? trivium::Verbosity::kDebug
                                    : trivium::Verbosity::kNormal);
  });
  try {
    trivium::add_pretrain_command(app, status);
    trivium::add_train_command(app, status);
    trivium::add_import_command(app);
    trivium::add_export_command(app);
    trivium::add_tokenizer_command(app);
    trivium::add_repl_command(app, status);
    trivium::add_generate_command(app, status);
    trivium::add_score_command(app, status);
    trivium::add_eval_command(app, status);
    trivium::add_adapt_command(app);
    trivium::add_task_command(app);
    trivium::add_classifier_command(app, status);
    trivium::add_experiment_command(app, status);
    trivium::add_routes_command(app);
    trivium::add_bench_command(app);
    app.parse(argc, argv);
    return status;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help
    return fail(ExitCode::kUsage, (std::string(e.what()) + "; see trivium --help").c_str());
  } catch (const trivium::Error& e) {
    return fail(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kInternal, "out of memory; lower the batch size or the lengths");
  } catch (const std::exception& e) {
    return fail(ExitCode::kInternal, (std::string("internal error: ") + e.what()).c_str());
  }
}
