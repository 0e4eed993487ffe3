// What generate and score share: lines in, a line out for each, in order.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/batch/request.h"
#include "cli/batch/result_file.h"
#include "cli/program/model_flags.h"

namespace trivium::cli {

// Bad lines that are said one by one on standard error; the rest is counted.
inline constexpr int64_t kShownErrors = 10;

struct BatchFlags {
  ModelFlags model;
  GeneratorOptions generator;
  std::string input = "-", output = "-", task;
  InputFormat format = InputFormat::kAuto;
  OnLong on_long = OnLong::kTruncate;
  OldFile old_file = OldFile::kRefused;  // --overwrite, --resume
  bool strict = false, dry_run = false;
  const CLI::App* command = nullptr;  // whose flags these are
};
void add_batch_flags(CLI::App& command, BatchFlags& flags);

// A request on its way to its result line.
struct BatchItem {
  Request request;
  ResolvedPrompt resolved;
  std::optional<Json> result;
};

// Fills in the results of `items`, which all have a prompt, or the error of a bad one. What it
// leaves without either was stopped.
using BatchAnswerer = std::function<void(LoadedModel& model, const std::vector<BatchItem*>& items)>;

// The request's prompt; its task is `default_task` where it names none, and the nearest known where
// that is "" too.
// Errors: as LoadedModel's resolve and resolve_fields.
ResolvedPrompt resolve_request(const LoadedModel& model, const Request& request,
                               const std::string& default_task);

// Gives the item what `on_long`, which is not kTruncate, has for a text that is too long: a result
// that says so, or an error. `what` is "the input", for the message.
void refuse_long(BatchItem& item, OnLong on_long, const std::string& what);

// {"id"?, "line", "task", "task_source"}: how every result begins. What the prompt has no value for
// is left out.
Json result_head(const BatchItem& item);

// {"encoder": [...], "decoder": [...], "weights"?: {...}}: the expert that each layer takes,
// counted from 1, and 0 for a layer that has none to choose from; the weights only where a layer
// mixes experts. Null for a model without experts.
Json route_summary(const TaskRoute& route);

// Reads requests and writes a result line for each, window by window. A bad line becomes an error
// line, or with --strict an Error. Returns the exit code: kOk, kBadData where there was a bad line,
// kInterrupted after Ctrl-C.
//
// A run whose --output is a file and that was stopped, however it ended, is gone on with by
// OldFile::kContinued: windows whose results are all there are not answered again, and the file
// becomes the one that an undisturbed run writes.
int run_batch(BatchFlags flags, const BatchAnswerer& answer);

}  // namespace trivium::cli
