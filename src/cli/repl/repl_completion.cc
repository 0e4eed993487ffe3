#include "cli/repl/repl_completion.h"

#include <algorithm>
#include <filesystem>

#include "cli/repl/search_settings.h"
#include "cli/repl/slash_commands.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFiles = 1000;  // of a folder that are looked at

std::vector<std::string> that_begin_with(const std::string& prefix,
                                         const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& word : words) {
    if (word.starts_with(prefix)) found.push_back(word);
  }
  return found;
}

// The files whose paths begin with `prefix`, folders with a slash behind them; hidden ones only
// where the prefix asks for them. What cannot be read offers nothing.
std::vector<std::string> files_that_begin_with(const std::string& prefix) {
  const size_t slash = prefix.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
  const std::string name = prefix.substr(folder.size());
  std::vector<std::string> found;
  std::error_code error;
  fs::directory_iterator entry(folder.empty() ? "." : folder, error);
  for (size_t seen = 0; !error && entry != fs::directory_iterator() && seen < kMostFiles; ++seen) {
    const std::string file = entry->path().filename().string();
    const bool is_asked_for = file.starts_with(name) && (!name.empty() || file.front() != '.');
    std::error_code unreadable;
    if (is_asked_for && is_valid_utf8(file)) {
      found.push_back(folder + file + (entry->is_directory(unreadable) ? "/" : ""));
    }
    entry.increment(error);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> arguments_of(ReplCommand command, const std::vector<std::string>& tasks) {
  std::vector<std::string> words;
  switch (command) {
    case ReplCommand::kTask:
      words = tasks;
      words.insert(words.begin(), "auto");
      return words;
    case ReplCommand::kCompare:
      return tasks;
    case ReplCommand::kHelp:
      return command_names();
    case ReplCommand::kRoute:
      return {"full", "brief", "off"};
    case ReplCommand::kPin:
      return {"enc.", "dec.", "off"};
    case ReplCommand::kDisable:
      return {"enc.", "dec."};
    case ReplCommand::kSet:
      for (const std::string& name : setting_names()) words.push_back(name + '=');
      return words;
    default:
      return {};
  }
}

// Where the name of a file begins in the line; npos where it holds none.
size_t file_begin(ReplCommand command, std::string_view line) {
  const auto behind_word = [&](size_t from) {
    const size_t end = line.find_first_of(" \t", from);
    return end == std::string_view::npos ? end : line.find_first_not_of(" \t", end);
  };
  const auto or_end = [&](size_t place) {
    return place == std::string_view::npos ? line.size() : place;
  };
  switch (command) {
    case ReplCommand::kLoad:
    case ReplCommand::kSave:
    case ReplCommand::kSaveOver:
      return or_end(behind_word(0));
    case ReplCommand::kTeach: {
      const size_t name = behind_word(0);
      const bool has_name = name != std::string_view::npos &&
                            line.find_first_of(" \t", name) != std::string_view::npos;
      return has_name ? or_end(behind_word(name)) : std::string_view::npos;
    }
    default:
      return std::string_view::npos;
  }
}

}  // namespace

Completion complete_repl_line(std::string_view line_to_cursor,
                              const std::vector<std::string>& tasks) {
  if (!line_to_cursor.starts_with('/') || line_to_cursor.starts_with("//")) return {};
  const size_t space = line_to_cursor.find_last_of(" \t");
  if (space == std::string_view::npos) {
    return {line_to_cursor.size(), that_begin_with(std::string(line_to_cursor), command_names())};
  }
  const SlashCommand* command =
      command_named(line_to_cursor.substr(0, line_to_cursor.find_first_of(" \t")));
  if (command == nullptr) return {};
  const size_t file = file_begin(command->command, line_to_cursor);
  if (file != std::string_view::npos) {
    const std::string path(line_to_cursor.substr(file));
    return {path.size(), files_that_begin_with(path)};
  }
  const std::string word(line_to_cursor.substr(space + 1));
  return {word.size(), that_begin_with(word, arguments_of(command->command, tasks))};
}

}  // namespace trivium::cli
