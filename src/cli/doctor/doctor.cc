#include "cli/doctor/doctor.h"

#include "cli/doctor/installation.h"
#include "cli/doctor/machine.h"
#include "cli/doctor/self_test.h"
#include "cli/program/model_flags.h"
#include "core/checkpoint/tensor_files.h"

namespace trivium::cli {
namespace {

// Of all weights in float32; 0 where they cannot be read, which the checkpoint's finding says.
int64_t bytes_of_weights(const std::filesystem::path& folder) {
  try {
    return static_cast<int64_t>(TensorFiles(folder).elements()) *
           static_cast<int64_t>(sizeof(float));
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

void examine_all(const std::string& checkpoint, int threads,
                 const std::function<void(const Finding&)>& report) {
  const Finding home = examine_home();
  const bool has_checkpoint = !checkpoint.empty() || home.health != Health::kFailed;
  const std::string folder = has_checkpoint ? checkpoint_folder(checkpoint) : "";
  report(examine_program());
  report(examine_processor());
  report(examine_cores());
  report(examine_memory(has_checkpoint ? bytes_of_weights(folder) : 0));
  report(examine_cuda());
  report(examine_train());
  report(home);
  report(examine_state_folder());
  report(examine_terminal());
  if (!has_checkpoint) return;  // the home's finding says what to do
  const Finding sound = examine_checkpoint(folder);
  report(sound);
  if (sound.health == Health::kOk) report(run_self_test(folder, cpu_threads(threads)));
}

}  // namespace trivium::cli
