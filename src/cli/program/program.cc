#include "cli/program/program.h"

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "core/base/error.h"
#include "core/base/logging.h"

namespace trivium::cli {
namespace {

constexpr const char* kDescription =
    "Trivium: text-to-text models whose layers hold pools of experts, with a route for every task.";
constexpr const char* kFooter =
    "Exit codes: 0 done, 1 internal error, 2 wrong usage, 64 bad configuration, 65 bad data,\n"
    "66 missing input, 69 device or program not available, 70 training diverged, 73 refuses to\n"
    "overwrite, 74 read or write failure, 75 stopped and resumable, 76 bad checkpoint, 130 Ctrl-C.\n"
    "TRIVIUM COMMAND --help describes a command.";

int fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return static_cast<int>(code);
}

}  // namespace

int run_program(int argc, char** argv,
                const std::function<void(CLI::App& app, int& status)>& add_commands) {
  int status = 0;
  CLI::App app(kDescription, "trivium");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  bool quiet = false, verbose = false;
  app.add_flag("-q,--quiet", quiet, "only warnings and errors on standard error");
  app.add_flag("-v,--verbose", verbose, "more on standard error");
  app.parse_complete_callback([&] {
    init_logging(quiet     ? Verbosity::kQuiet
                 : verbose ? Verbosity::kDebug
                           : Verbosity::kNormal);
  });
  try {
    add_commands(app, status);
    app.parse(argc, argv);
    return status;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help
    return fail(ExitCode::kUsage, std::string(e.what()) + "; see trivium --help");
  } catch (const Error& e) {
    return fail(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kInternal, "out of memory; lower the batch size or the lengths");
  } catch (const std::exception& e) {
    return fail(ExitCode::kInternal, std::string("internal error: ") + e.what());
  }
}

}  // namespace trivium::cli
