#include "cli/batch/dry_run.h"

#include <algorithm>
#include <map>

#include "cli/output/output.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/launch.h"
#include "core/base/logging.h"
#include "core/base/memory.h"
#include "core/inference/memory_needs.h"

namespace trivium::cli {
namespace {

class DryRun {
 public:
  DryRun(BatchFlags flags, const TokensOf& tokens_of)
      : flags_(std::move(flags)),
        tokens_of_(tokens_of),
        reader_(flags_.input, flags_.format, stop_requested()),
        model_(load_model(flags_.model, flags_.generator)) {
    if (!flags_.task.empty()) model_.tasks().index_of(flags_.task);
  }

  int run() {
    std::vector<Request> window = reader_.next_window();
    for (; !window.empty(); window = reader_.next_window()) {
      for (Request& request : window) look_at({std::move(request), {}, {}});
    }
    if (stop_requested()) return static_cast<int>(ExitCode::kInterrupted);
    print();
    return static_cast<int>(bad_ > 0 ? ExitCode::kBadData : ExitCode::kOk);
  }

 private:
  void look_at(BatchItem item) {
    ++lines_;
    if (item.request.is_empty && item.request.error.empty()) {
      ++empty_;
      return;
    }
    try {
      if (!item.request.error.empty()) throw Error(ExitCode::kBadData, item.request.error);
      item.resolved = resolve_request(model_, item.request, flags_.task);
      if (!item.resolved.fits) {
        ++no_task_;
        return;
      }
      const bool is_long =
          item.request.truncated || !model_.generator().reads_whole(item.resolved.prompt.text);
      long_ += is_long;
      if (is_long && flags_.on_long == OnLong::kError) {
        throw Error(ExitCode::kBadData, "the input is longer than what the model reads");
      }
      if (is_long && flags_.on_long == OnLong::kMark) return;
      most_tokens_ = std::max(most_tokens_, tokens_of_(model_, item));
      ++prompts_[item.resolved.task];
    } catch (const Error& error) {
      if (error.code() == ExitCode::kUsage) throw;  // of all lines
      const std::string message = reader_.place(item.request.line) + ": " + error.what();
      if (flags_.strict) throw Error(ExitCode::kBadData, message);
      if (++bad_ <= kShownErrors) spdlog::warn("{}", message);
    }
  }

  void print() {
    int64_t answered = 0;
    Json tasks = Json::object();
    for (const auto& [task, count] : prompts_) {
      answered += count;
      tasks[task] = count;
    }
    // As many prompts as a batch holds, each with the most rows and tokens, and their sources.
    const int64_t tokens =
        std::min(flags_.generator.batch_size, answered) * most_tokens_ +
        (answered > 0 ? std::max(flags_.generator.batch_tokens, flags_.generator.max_source_length)
                      : 0);
    const Json report = {{"dry_run", true},
                         {"checkpoint", model_.folder().string()},
                         {"lines", lines_},
                         {"to_answer", answered},
                         {"tasks", tasks},
                         {"empty", empty_},
                         {"no_task", no_task_},
                         {"long", long_},
                         {"bad", bad_},
                         {"output", flags_.output},
                         {"memory", memory_report(model_, flags_.model, tokens)}};
    write_output(to_json_line(report) + "\n");
  }

  BatchFlags flags_;
  const TokensOf& tokens_of_;
  RequestReader reader_;
  LoadedModel model_;
  int64_t lines_ = 0, empty_ = 0, no_task_ = 0, long_ = 0, bad_ = 0;
  int64_t most_tokens_ = 0;                 // of one prompt
  std::map<std::string, int64_t> prompts_;  // to be answered, by task
};

}  // namespace

int run_dry(BatchFlags flags, const TokensOf& tokens_of) {
  refuse_several(launch_from_environment());
  watch_stop_signals();
  flags.generator.stop = &stop_requested();
  check_result_file(flags.output, flags.old_file);
  return DryRun(std::move(flags), tokens_of).run();
}

Json memory_report(const LoadedModel& model, const ModelFlags& flags, int64_t tokens) {
  const MemoryNeeds needs = memory_needs(model, flags.compute, tokens);
  Json report = {{"weights_bytes", needs.weights}, {"cells_bytes", needs.cells}};
  const auto memory = machine_memory();
  if (!memory) return report;
  report["available_bytes"] = memory->available;
  if (needs.weights + needs.cells > memory->available) {
    spdlog::warn(
        "this may need more memory than is available; lower --batch-size, or say "
        "--compute int8");
  }
  return report;
}

}  // namespace trivium::cli
