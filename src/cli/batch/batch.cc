#include "cli/batch/batch.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/batch/done_lines.h"
#include "cli/batch/process_group.h"
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

// Results are written a window at a time, or as many as there are processes: enough batches to sort
// lines by length, few enough that a stop loses little.
size_t window_lines(const BatchFlags& flags, int processes) {
  constexpr int64_t kBatches = 8, kFewest = 64;
  const int64_t batches = std::max<int64_t>(1, kBatches / processes);
  return static_cast<size_t>(std::max(kFewest, batches * flags.generator.batch_size));
}

// What a process has to say of its window; a JSON object, since it may travel.
struct Outcome {
  Json results = Json::array();  // up to the first line that was not come to
  bool is_end = false;           // there was no line left, or it was stopped or failed
  bool is_stopped = false;       // by a signal
  int code = 0;                  // of the error that ended the window
  std::string message;           // and what it says

  Json to_json() && {
    return {{"results", std::move(results)},
            {"end", is_end},
            {"stopped", is_stopped},
            {"code", code},
            {"message", message}};
  }
  static Outcome from_json(Json json) {
    return {std::move(json["results"]), json["end"], json["stopped"], json["code"],
            json["message"]};
  }
};

// Windows are answered in turn by the processes, and the first writes all of them. A window's
// results do not depend on who answered it.
class BatchRun {
 public:
  BatchRun(BatchFlags flags, std::unique_ptr<ProcessGroup> group)
      : flags_(std::move(flags)),
        group_(std::move(group)),
        output_(open_output()),
        reader_(flags_.input, flags_.format, stop_requested(),
                window_lines(flags_, group_->size())),
        model_(load_model(flags_.model, flags_.generator)) {
    if (!flags_.task.empty()) model_.tasks().index_of(flags_.task);  // unknown: before any work
    const Json settings = run_settings(*flags_.command, model_.folder());
    if (group_->size() > 1) {
      require_equal(*group_, {{"settings", settings},
                              {"strict", flags_.strict},
                              {"bytes", std::filesystem::file_size(flags_.input)}});
    }
    do_in_first(*group_, [&] { output_->hold_to(settings); });
  }

  int run(const BatchAnswerer& answer) {
    pass_over_done();
    Outcome end;
    do {
      end = round(answer);
    } while (!end.is_end);
    if (!group_->is_first()) return end.code;
    report();
    if (!end.message.empty()) throw Error(static_cast<ExitCode>(end.code), end.message);
    if (end.is_stopped) return stopped();
    output_->finish();
    return static_cast<int>(errors_ > 0 ? ExitCode::kBadData : ExitCode::kOk);
  }

 private:
  // Of the first process alone.
  std::unique_ptr<ResultFile> open_output() const {
    std::unique_ptr<ResultFile> output;
    do_in_first(*group_, [&] {
      const bool is_file = std::filesystem::is_regular_file(flags_.input);
      const bool is_stream = flags_.input == "-" || std::filesystem::exists(flags_.input);
      if (group_->size() > 1 && !is_file && is_stream) {
        throw Error(ExitCode::kUsage,
                    "several processes share the lines of a file; name it by --input");
      }
      output = std::make_unique<ResultFile>(flags_.output, flags_.old_file);
    });
    return output;
  }

  // Passes over the windows whose results the part has.
  void pass_over_done() {
    int64_t done = 0;
    do_in_first(*group_, [&] { done = output_->is_continued() ? skip_done() : 0; });
    done = group_->share(done).get<int64_t>();
    for (int64_t i = 0; i < done && !group_->is_first(); ++i) reader_.next_window();
  }

  // Of the first process: reads the windows that are done and the first other one, which stays in
  // unread_. A window is answered as a whole, so that its batches are those of an undisturbed run.
  int64_t skip_done() {
    DoneLines done(output_->part());
    int64_t windows = 0;
    std::vector<Request> window = reader_.next_window();
    for (; !window.empty(); ++windows) {
      const auto results = done.next(window);
      if (!results) break;
      for (const Json& result : *results) count(result);
      window = reader_.next_window();
    }
    if (window.empty() && !stop_requested() && done.has_more()) {
      throw Error(ExitCode::kExists, output_->part().string() +
                                         " holds more lines than the input; name another "
                                         "--output, or say --overwrite");
    }
    if (!stop_requested()) output_->keep(done.bytes());
    spdlog::info("{} lines were done before", written_);
    unread_ = std::move(window);
    return windows;
  }

  std::vector<Request> next_window() {
    return unread_ ? *std::exchange(unread_, std::nullopt) : reader_.next_window();
  }

  // Answers this process's window of the next ones and, in the first process, writes what all have
  // answered. Returns the same in all: whether that was the end, and of what kind.
  Outcome round(const BatchAnswerer& answer) {
    std::vector<Request> own;
    for (int rank = 0; rank < group_->size(); ++rank) {
      std::vector<Request> window = next_window();
      if (rank == group_->rank()) own = std::move(window);
    }
    std::vector<Json> outcomes = group_->gather(answer_window(own, answer).to_json());
    return Outcome::from_json(group_->share(write_outcomes(std::move(outcomes)).to_json()));
  }

  // In order, up to what was stopped or failed. Returns that, without its results.
  Outcome write_outcomes(std::vector<Json> outcomes) {
    for (Json& json : outcomes) {
      Outcome outcome = Outcome::from_json(std::move(json));
      std::string lines;
      for (const Json& result : outcome.results) {
        count(result);
        say_error(result);
        lines += to_json_line(result) + "\n";
      }
      output_->write(lines);
      if (!outcome.is_end) continue;
      outcome.results = Json::array();
      return outcome;
    }
    return {};
  }

  void count(const Json& result) {
    const std::string finish = result.value("finish", "");
    cut_ += result.value("truncated", false);
    too_long_ += finish == kTooLong;
    no_task_ += finish == kNoTask;
    errors_ += finish == kError;
    ++written_;
  }

  // The first bad lines are said one by one.
  void say_error(const Json& result) {
    if (result.value("finish", "") != kError || ++shown_errors_ > kShownErrors) return;
    spdlog::warn("{}", result.at("error").get_ref<const std::string&>());
  }

  Outcome answer_window(const std::vector<Request>& window, const BatchAnswerer& answer) {
    Outcome outcome;
    std::vector<BatchItem> items;
    for (const Request& request : window) items.push_back({request, {}, {}});
    try {
      answer_items(items, answer);
    } catch (const Error& error) {
      outcome.code = static_cast<int>(error.code());
      outcome.message = error.what();
    }
    take_results(items, outcome);
    const bool is_whole = outcome.results.size() == items.size();
    outcome.is_stopped = stop_requested() || (!is_whole && outcome.message.empty());
    outcome.is_end = items.empty() || outcome.is_stopped || !outcome.message.empty();
    if (outcome.is_stopped && outcome.message.empty()) {
      outcome.code = static_cast<int>(ExitCode::kInterrupted);
    }
    return outcome;
  }

  void answer_items(std::vector<BatchItem>& items, const BatchAnswerer& answer) {
    std::vector<BatchItem*> ready;
    for (BatchItem& item : items) {
      prepare(item);
      if (!item.result && item.request.error.empty()) ready.push_back(&item);
    }
    if (!ready.empty() && !stop_requested()) answer(model_, ready);
  }

  // The results up to the first item that has none, or with --strict up to the first bad one.
  void take_results(std::vector<BatchItem>& items, Outcome& outcome) const {
    for (BatchItem& item : items) {
      if (!item.result && !item.request.error.empty()) {
        if (flags_.strict) {
          outcome.code = static_cast<int>(ExitCode::kBadData);
          outcome.message = error_of(item);
          return;
        }
        item.result = result_head(item);
        item.result->update({{"finish", kError}, {"error", error_of(item)}});
      }
      if (!item.result) return;
      outcome.results.push_back(std::move(*item.result));
    }
  }

  std::string error_of(const BatchItem& item) const {
    return reader_.place(item.request.line) + ": " + item.request.error;
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
    const bool in_file = !output_->is_standard_output() && written_ > 0;
    spdlog::warn(
        "stopped after {} lines{}", written_,
        in_file ? "; they are in " + output_->part().string() + ", and --resume goes on" : "");
    return static_cast<int>(ExitCode::kInterrupted);
  }

  BatchFlags flags_;
  std::unique_ptr<ProcessGroup> group_;
  std::unique_ptr<ResultFile> output_;  // the first process's
  RequestReader reader_;
  LoadedModel model_;
  std::optional<std::vector<Request>>
      unread_;  // a window that was read and is still to be answered
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
  // A process that waits for others, which may never come, is ended by a signal as any other.
  std::unique_ptr<ProcessGroup> group = join_process_group();
  watch_stop_signals();
  flags.generator.stop = &stop_requested();
  return BatchRun(std::move(flags), std::move(group)).run(answer);
}

}  // namespace trivium::cli
