// trivium bench: measurements of this program on this machine.
#include "cli/benches/benches.h"
#include "cli/commands/commands.h"

namespace trivium::cli {

void add_bench_command(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "measure this program on this machine");
  bench->require_subcommand(1);
  add_generation_bench(*bench);
  add_routed_decoding_bench(*bench);
  bench->footer("Example:\n  trivium bench generation --shapes 1x1,8x4");
}

}  // namespace trivium::cli
