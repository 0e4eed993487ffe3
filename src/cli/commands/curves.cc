// trivium curves: the curves of trainings as a picture.
#include <filesystem>
#include <memory>

#include "cli/batch/result_file.h"
#include "cli/commands/commands.h"
#include "cli/program/given_paths.h"
#include "core/analysis/curve_plot.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

struct CurvesFlags {
  std::vector<std::string> runs, only;
  std::string output;
  bool overwrite = false;
};

void run_curves(const CurvesFlags& flags) {
  check_ending(flags.output, {".svg"}, "--output");
  std::vector<RunCurves> runs;
  for (const std::string& run : flags.runs) {
    runs.push_back(
        read_curves(fs::is_directory(run) ? fs::path(run) / "metrics.csv" : fs::path(run), run));
  }
  const std::string picture = curves_svg(runs, flags.only);
  ResultFile file(flags.output, flags.overwrite ? OldFile::kReplaced : OldFile::kRefused);
  file.write(picture);
  file.finish();
}

}  // namespace

void add_curves_command(CLI::App& app) {
  auto flags = std::make_shared<CurvesFlags>();
  CLI::App* command =
      app.add_subcommand("curves", "draw what a training wrote of itself: loss, rates, experts");
  command
      ->add_option("runs", flags->runs,
                   "run.output of a training, or its metrics.csv; several share the panels")
      ->required();
  command->add_option("-o,--output", flags->output, "the picture (FILE.svg)")->required();
  command->add_option("--curves", flags->only, "these curves alone: NAME,NAME...")->delimiter(',');
  command->add_flag("--overwrite", flags->overwrite, "replace the file where it exists");
  command->footer(
      "docs/training.md says what each curve is.\n"
      "Example:\n"
      "  trivium curves runs/mine --curves loss,dev_score --output curves.svg");
  command->callback([flags] { run_curves(*flags); });
}

}  // namespace trivium::cli
