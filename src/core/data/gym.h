// Collections of text-to-text tasks on disk.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/data/task.h"

namespace trivium {

// A folder of tasks, in any of the forms that docs/data.md describes: per task a folder with
// task.json and train/dev/test.jsonl, beside a split.json that names parts of the tasks; CrossFit's
// TSV files, in the folder or in one a task; P3-style JSONL, a folder a task or one folder; where
// there are none of these, files of examples, one a task; or one such file. What was found out of a
// file of examples is said in the log.
class Gym {
 public:
  // Reads split.json, where there is one, and every task.json; records are read by load_task.
  // Errors kMissingInput and kBadData.
  explicit Gym(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  // The names in a part of split.json ("seen", "dev", "unseen", "extra"), or every name for "all".
  // Error kUsage for another part, kMissingInput where the gym has no split.json.
  std::vector<std::string> tasks_of(const std::string& part) const;
  // The tasks that a command is to work on: `names`, or, where there are none, those of `part`. A
  // gym without split.json has seen all of its tasks. Errors as tasks_of and describe; kConfig for
  // a name that is given twice, and for no task at all.
  std::vector<std::string> chosen_tasks(const std::string& part,
                                        const std::vector<std::string>& names) const;
  // Every task's name, sorted.
  const std::vector<std::string>& task_names() const { return names_; }

  // One task with its records. Where a P3-style task lacks dev or test, every fifth record of train
  // goes there instead. Bad lines are an Error (kBadData) that names file:line. An unknown
  // name is an Error (kMissingInput) with the nearest names. `limit` > 0 reads at most so many
  // lines a split.
  Task load_task(const std::string& name, size_t limit = 0) const;
  // The same without records: what task.json says, or what is known without reading any.
  const Task& describe(const std::string& name) const;

 private:
  enum class Form { kGym, kCrossFit, kP3, kFile };
  struct Source {
    Form form = Form::kGym;
    std::filesystem::path path;
    Task description;
  };
  void add_folder(const std::filesystem::path& folder);
  void add_file(const std::filesystem::path& path);
  void add_files(const std::filesystem::path& folder);
  void add_plain(Form form, const std::filesystem::path& path, const std::string& name);
  void read_parts(const std::filesystem::path& path);
  const Source& source_of(const std::string& name) const;

  std::filesystem::path folder_;
  std::vector<std::string> names_;
  std::map<std::string, Source> sources_;
  std::map<std::string, std::vector<std::string>> parts_;  // empty without split.json
};

// CrossFit's layout: <folder>/<task>_<k>_<seed>_{train,dev,test}.tsv with input TAB target [TAB
// target…]; quotes are plain characters. Where the folder holds several samples, `task` names one:
// "glue-sst2_16_100"; else "glue-sst2" does. The task's records have the fields "input", "target"
// and "targets". A task whose train file has each of its targets k times is one of labels (that is
// how CrossFit draws them), scored by accuracy; any other is open, scored by exact match. `limit` >
// 0 reads at most so many lines a file. Error kBadData names file:line.
Task load_crossfit_task(const std::filesystem::path& folder, const std::string& task,
                        size_t limit = 0);
// The names that load_crossfit_task takes for what lies in the folder itself.
std::vector<std::string> crossfit_tasks(const std::filesystem::path& folder);

// P3-style JSONL with the keys "inputs" and "targets", or P3's own "inputs_pretokenized" and
// "targets_pretokenized" (targets: a string, or a list of accepted strings), and optionally
// "answer_choices": a folder with some of {train,dev,validation,test}.jsonl, or one file (its name
// says which split it is; any other name is train). Lines that P3 marks "is_correct": false, which
// hold a wrong answer, are left out. The task's records have the fields "input", "target",
// "targets" and, where given, "choices".
Task load_p3_task(const std::filesystem::path& path, const std::string& task, size_t limit = 0);
// A task of these fields, without records.
Task plain_task(const std::string& name);

// The task of one file of examples: P3-style JSONL where its first line has those keys, else a
// table (table_file.h). Error kUsage for a file of another kind says what converts it.
Task load_example_file(const std::filesystem::path& path, const std::string& task,
                       size_t limit = 0);

// Whether files and template variables may bear the name: letters, digits, "_" and "-".
bool is_plain_name(const std::string& name);

}  // namespace trivium
