// trivium doctor: what this machine and this installation can do, and what is wrong with them.
#include "cli/doctor/doctor.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/json_flag.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/text/display_text.h"

namespace trivium::cli {
namespace {

struct DoctorFlags {
  std::string checkpoint;
  int threads = 0;
  bool json = false;
};

std::string line_of(const Finding& finding) {
  std::string line = fmt::format("{:<8} {:<14} {}\n", name_of(finding.health), finding.topic,
                                 sanitise(finding.text));
  if (!finding.advice.empty()) line += fmt::format("{:<8} {:<14} {}\n", "", "", finding.advice);
  return line;
}

int run_doctor(const DoctorFlags& flags) {
  ExitCode code = ExitCode::kOk;
  Json findings = Json::array();
  examine_all(flags.checkpoint, flags.threads, [&](const Finding& finding) {
    if (finding.health == Health::kFailed && code == ExitCode::kOk) code = finding.failure;
    if (flags.json) {
      findings.push_back(to_json(finding));
    } else {
      write_output(line_of(finding));
    }
  });
  if (flags.json) {
    write_output(to_json_line({{"healthy", code == ExitCode::kOk}, {"findings", findings}}) + "\n");
  }
  return static_cast<int>(code);
}

}  // namespace

void add_doctor_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<DoctorFlags>();
  CLI::App* command =
      app.add_subcommand("doctor", "examine this machine and this installation, and test them");
  add_checkpoint_flag(*command, flags->checkpoint);
  add_threads_flag(*command, flags->threads);
  add_json_flag(*command, flags->json);
  command->footer(
      "A line for each finding: ok, warning or failed, and below it what to do. The self-test\n"
      "answers one prompt of the checkpoint on every instruction set of the processor: all have "
      "to\n"
      "give the same text, and likelihoods that differ by at most 1e-4 a token. The exit code is "
      "0\n"
      "where nothing failed, else that of what failed first (66, 69, 76; 70: the self-test).\n"
      "Example:\n  trivium doctor");
  command->callback([flags, &status] { status = run_doctor(*flags); });
}

}  // namespace trivium::cli
