#include "cli/batch/batch.h"

#include <algorithm>

#include "cli/batch/done_lines.h"
#include "cli/batch/run_settings.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/logging.h"

namespace trivium::cli {
namespace {

constexpr const char* kTooLong = "too_long";
constexpr const char* kNoTask = "no_task";
constexpr const char* kError = "error";

bool is_soft(const std::vector<std::vector<float>>& stack) {
  for (const std::vector<float>& layer : stack) {
    for (const float weight : layer) {
      if (weight != 0.0f && weight != 1.0f) return true;
    }
  }
  return false;
}

Json experts_of(const std::vector<std::vector<float>>& stack) {
  Json experts = Json::array();
  for (const std::vector<float>& layer : stack) {
    experts.push_back(layer.size() == 1 ? 0 : TaskRoute::main_expert(layer) + 1);
  }
  return experts;
}

bool has_choice(const std::vector<std::vector<float>>& stack) {
  return std::any_of(stack.begin(), stack.end(),
                     [](const auto& layer) { return layer.size() > 1; });
}

// Results are written a window at a time: enough batches to sort lines by length, few enough that
// a stop loses little.
size_t window_lines(const BatchFlags& flags) {
  constexpr int64_t kBatches = 8, kFewest = 64;
  return static_cast<size_t>(std::max(kFewest, kBatches * flags.generator.batch_size));
}

class BatchRun {
 public:
  explicit BatchRun(BatchFlags flags)
      : flags_(std::move(flags)),
        output_(flags_.output, flags_.old_file),
        reader_(flags_.input, flags_.format, stop_requested(), window_lines(flags_)),
        model_(load_model(flags_.model, flags_.generator)) {
    if (!flags_.task.empty()) model_.tasks().index_of(flags_.task);  // unknown: before any work
    output_.hold_to(run_settings(*flags_.command, model_.folder()));
  }

  int run(const BatchAnswerer& answer) {
    bool complete = true;
    std::vector<Request> window = output_.is_continued() ? skip_done() : reader_.next_window();
    for (; complete && !stop_requested(); window = reader_.next_window()) {
      if (window.empty()) break;
      if (!stop_requested()) complete = answer_window(window, answer);
    }
    report();
    if (!complete || stop_requested()) return stopped();
    output_.finish();
    return static_cast<int>(errors_ > 0 ? ExitCode::kBadData : ExitCode::kOk);
  }

 private:
  // Passes over the windows whose results the part has, and returns the first other one. A window
  // is answered as a whole, so that its batches are those of an undisturbed run.
  std::vector<Request> skip_done() {
    DoneLines done(output_.part());
    std::vector<Request> window = reader_.next_window();
    while (!window.empty()) {
      const auto results = done.next(window);
      if (!results) break;
      for (const Json& result : *results) count(result);
      window = reader_.next_window();
    }
    if (window.empty() && !stop_requested() && done.has_more()) {
      throw Error(ExitCode::kExists, output_.part().string() +
                                         " holds more lines than the input; name another "
                                         "--output, or say --overwrite");
    }
    if (!stop_requested()) output_.keep(done.bytes());
    spdlog::info("{} lines were done before", written_);
    return window;
  }

  void count(const Json& result) {
    const std::string finish = result.value("finish", "");
    cut_ += result.value("truncated", false);
    too_long_ += finish == kTooLong;
    no_task_ += finish == kNoTask;
    errors_ += finish == kError;
    ++written_;
  }

  // Returns false where not every line got its result.
  bool answer_window(const std::vector<Request>& window, const BatchAnswerer& answer) {
    std::vector<BatchItem> items;
    for (const Request& request : window) items.push_back({request, {}, {}});
    std::vector<BatchItem*> ready;
    for (BatchItem& item : items) {
      prepare(item);
      if (!item.result && item.request.error.empty()) ready.push_back(&item);
    }
    try {
      if (!ready.empty()) answer(model_, ready);
    } catch (const Error&) {
      write_results(items);  // what was done before the error
      throw;
    }
    return write_results(items);
  }

  // Writes the results up to the first item that has none; returns whether all have one.
  bool write_results(std::vector<BatchItem>& items) {
    std::string lines;
    for (BatchItem& item : items) {
      if (!item.result && !item.request.error.empty()) {
        if (flags_.strict) output_.write(lines);  // what was done before the bad line
        fail(item);
      }
      if (!item.result) break;
      count(*item.result);
      lines += to_json_line(*item.result) + "\n";
    }
    output_.write(lines);
    return items.back().result.has_value();
  }

  // Finds the prompt's task and route, or notes the error. An empty line has its result at once,
  // and so has one that no known task fits.
  void prepare(BatchItem& item) {
    Request& request = item.request;
    if (request.error.empty() && !request.is_empty) {
      try {
        item.resolved = resolve_request(model_, request, flags_.task);
      } catch (const Error& error) {
        request.error = error.what();
      }
    }
    if (!request.error.empty()) return;
    if (request.is_empty) {
      item.result = result_head(item);
      item.result->update({{"text", ""}, {"finish", "skipped"}});
    } else if (!item.resolved.fits) {
      item.result = result_head(item);
      item.result->update({{"finish", kNoTask}});
    } else if (flags_.on_long != OnLong::kTruncate &&
               (request.truncated || !model_.generator().reads_whole(item.resolved.prompt.text))) {
      refuse_long(item, flags_.on_long, "the input");
    }
  }

  void fail(BatchItem& item) {
    const std::string message = reader_.place(item.request.line) + ": " + item.request.error;
    if (flags_.strict) throw Error(ExitCode::kBadData, message);
    if (++shown_errors_ <= kShownErrors) spdlog::warn("{}", message);
    item.result = result_head(item);
    item.result->update({{"finish", kError}, {"error", message}});
  }

  void report() const {
    if (reader_.invalid_lines() > 0) {
      spdlog::warn("{} lines were not UTF-8; their bad bytes became U+FFFD",
                   reader_.invalid_lines());
    }
    if (reader_.truncated_lines() > 0) {
      spdlog::warn("{} lines were cut to 1 MiB", reader_.truncated_lines());
    }
    if (cut_ > 0) {
      spdlog::warn(
          "{} of {} lines hold more than the model reads: they were cut, and say \"truncated\"; "
          "--on-long mark or error answers none of them",
          cut_, written_);
    }
    if (too_long_ > 0) {
      spdlog::warn("{} of {} lines hold more than the model reads and got no answer", too_long_,
                   written_);
    }
    if (no_task_ > 0) {
      spdlog::warn(
          "{} of {} lines are like no task that the model knows and got no answer; name a task, "
          "with --task or in the line, to have one",
          no_task_, written_);
    }
    if (errors_ > 0) spdlog::warn("{} of {} lines were bad", errors_, written_);
  }

  int stopped() const {
    const bool in_file = !output_.is_standard_output() && written_ > 0;
    spdlog::warn(
        "stopped after {} lines{}", written_,
        in_file ? "; they are in " + output_.part().string() + ", and --resume goes on" : "");
    return static_cast<int>(ExitCode::kInterrupted);
  }

  BatchFlags flags_;
  ResultFile output_;
  RequestReader reader_;
  LoadedModel model_;
  int64_t errors_ = 0;
  int64_t shown_errors_ = 0;
  int64_t written_ = 0;
  int64_t cut_ = 0;       // results of texts that were cut
  int64_t too_long_ = 0;  // lines that got no answer for their length
  int64_t no_task_ = 0;   // and those that got none since no task fits them
};

}  // namespace

void add_batch_flags(CLI::App& command, BatchFlags& flags) {
  command.add_option("--input", flags.input, "file of lines; -: standard input")
      ->capture_default_str();
  command.add_option("--output", flags.output, "file of results; -: standard output")
      ->capture_default_str();
  add_choice(
      command, "--format", flags.format, input_format_names(),
      "of the lines; auto goes by the file's ending (.jsonl, .ndjson, .json, .txt, .tsv), else "
      "by whether the first value begins with {");
  command.add_option("--task", flags.task, "the task of lines that name none [the nearest known]");
  command.add_flag("--strict", flags.strict, "end at the first bad line");
  add_old_file_flags(command, flags.old_file);
  command.add_flag("--dry-run", flags.dry_run,
                   "read and check all, print what would be done as JSON, and answer nothing");
  flags.command = &command;
  command.add_option("--batch-size", flags.generator.batch_size, "prompts in a batch, at most")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      .add_option("--max-input", flags.generator.max_source_length,
                  "tokens of a prompt that are read; --on-long says what becomes of longer ones")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  add_on_long_flag(command, flags.on_long);
  add_model_flags(command, flags.model);
}

void refuse_long(BatchItem& item, OnLong on_long, const std::string& what) {
  check(on_long != OnLong::kTruncate, "what is cut is not refused");
  if (on_long == OnLong::kMark) {
    item.result = result_head(item);
    item.result->update({{"finish", kTooLong}});
  } else {
    item.request.error = what + " is longer than what the model reads (--on-long error)";
  }
}

ResolvedPrompt resolve_request(const LoadedModel& model, const Request& request,
                               const std::string& default_task) {
  const std::string& task = request.task.empty() ? default_task : request.task;
  return request.input.is_string() ? model.resolve(task, request.input.get<std::string>())
                                   : model.resolve_fields(task, request.input);
}

Json result_head(const BatchItem& item) {
  Json head = Json::object();
  if (!item.request.id.is_null()) head["id"] = item.request.id;
  head["line"] = item.request.line;
  if (item.resolved.row >= 0) head["task"] = item.resolved.task;
  if (!item.resolved.prompt.text.empty()) head["task_source"] = name_of(item.resolved.source);
  return head;
}

Json route_summary(const TaskRoute& route) {
  if (!has_choice(route.encoder) && !has_choice(route.decoder)) return nullptr;
  Json summary = {{"encoder", experts_of(route.encoder)}, {"decoder", experts_of(route.decoder)}};
  if (is_soft(route.encoder) || is_soft(route.decoder)) summary["weights"] = to_json(route);
  return summary;
}

int run_batch(BatchFlags flags, const BatchAnswerer& answer) {
  choose_broken_pipe(BrokenPipe::kEndsQuietly);
  watch_stop_signals();
  flags.generator.stop = &stop_requested();
  return BatchRun(std::move(flags)).run(answer);
}

}  // namespace trivium::cli
