#include "layering_test/layering.h"

#include <map>
#include <optional>
#include <regex>
#include <set>

namespace trivium {
namespace {

struct Room {
  std::set<std::string> may_include;  // besides itself
  bool may_use_torch = false;
};

// The whole rule, lowest room first. docs/architecture.md says why each room is where it is.
const std::map<std::string, Room>& rooms() {
  static const std::map<std::string, Room> table = {
      {"base", {{}, false}},
      {"config", {{"base"}, false}},
      {"tokenizers", {{"base"}, false}},
      {"metrics", {{"base"}, false}},
      {"kernels", {{"base"}, false}},
      {"data", {{"base"}, false}},
      {"generation", {{"base", "kernels"}, false}},
      {"engine", {{"base", "config", "kernels", "generation"}, false}},
      {"model", {{"base", "config", "kernels", "generation"}, true}},
      {"checkpoint", {{"base", "config", "tokenizers", "data", "model"}, true}},
      {"inference",
       {{"base", "config", "tokenizers", "kernels", "data", "generation", "engine", "model",
         "checkpoint"},
        true}},
      {"evaluation",
       {{"base", "config", "tokenizers", "metrics", "data", "generation", "model", "checkpoint",
         "inference"},
        true}},
      {"training",
       {{"base", "config", "tokenizers", "metrics", "data", "generation", "model", "checkpoint",
         "inference", "evaluation"},
        true}},
      {"adaptation",
       {{"base", "config", "tokenizers", "metrics", "data", "generation", "model", "checkpoint",
         "inference", "evaluation", "training"},
        true}},
      {"analysis",
       {{"base", "config", "metrics", "data", "generation", "model", "checkpoint", "inference",
         "evaluation"},
        true}},
      {"experiments",
       {{"base", "config", "metrics", "data", "generation", "model", "checkpoint", "inference",
         "evaluation", "training", "adaptation", "analysis"},
        true}},
      {"commands",
       {{"base", "config", "tokenizers", "metrics", "kernels", "data", "generation", "model",
         "checkpoint", "inference", "evaluation", "training", "adaptation",
         "analysis", "experiments"},
        true}},
      {"main.cc", {{"base", "commands"}, false}},
  };
  return table;
}

const std::set<std::string>& torch_folders() {
  static const std::set<std::string> folders = {"torch", "ATen", "c10", "caffe2"};
  return folders;
}

// "src/model/layers.h" -> "model"; nothing outside src/.
std::optional<std::string> room_of(const std::string& path) {
  if (path.rfind("src/", 0) != 0) return std::nullopt;
  const size_t begin = 4;
  return path.substr(begin, path.find('/', begin) - begin);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

class Checker {
 public:
  explicit Checker(const std::vector<SourceFile>& files) : files_(files) {}

  std::vector<std::string> violations() {
    find_libraries();
    for (const SourceFile& file : files_) {
      const std::optional<std::string> name = room_of(file.path);
      if (!name || file.path == "src/CMakeLists.txt") continue;
      const auto room = rooms().find(*name);
      if (room == rooms().end()) {
        report(file.path, "src/" + *name + " is not a room of the table in layering.cc");
      } else if (ends_with(file.path, "/CMakeLists.txt")) {
        check_links(file, room->first, room->second);
      } else {
        check_includes(file, room->first, room->second);
      }
    }
    check_that_includes_are_linked();
    return violations_;
  }

 private:
  void report(const std::string& where, const std::string& what) {
    violations_.push_back(where + ": " + what);
  }

  // Which room each library is in: trivium_library(NAME ...) makes trivium_NAME.
  void find_libraries() {
    static const std::regex library(R"(trivium_library\(\s*(\w+))");
    for (const SourceFile& file : files_) {
      const std::optional<std::string> room = room_of(file.path);
      if (!room || !ends_with(file.path, "/CMakeLists.txt")) continue;
      for (std::sregex_iterator match(file.text.begin(), file.text.end(), library), end;
           match != end; ++match) {
        room_of_library_["trivium_" + (*match)[1].str()] = *room;
      }
    }
  }

  void check_includes(const SourceFile& file, const std::string& name, const Room& room) {
    static const std::regex include(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)re");
    static const std::regex condition(R"(^\s*#\s*(if|ifdef|ifndef)\b.*)");
    const bool is_header = ends_with(file.path, ".h") || ends_with(file.path, ".cuh");
    int number = 0;
    for (const std::string& line : split_lines(file.text)) {
      ++number;
      const std::string where = file.path + ":" + std::to_string(number);
      std::smatch match;
      if (is_header && std::regex_match(line, condition)) {
        report(where, "a header may not depend on the preprocessor's conditions");
      }
      if (!std::regex_match(line, match, include)) continue;
      const std::string folder = match[2].str().substr(0, match[2].str().find('/'));
      if (rooms().count(folder) != 0) {
        if (folder == name) continue;
        included_[name].emplace(folder, where);
        if (room.may_include.count(folder) == 0) {
          report(where, name + " may not include from " + folder);
        }
      } else if (torch_folders().count(folder) != 0) {
        if (!room.may_use_torch) report(where, name + " may not include LibTorch");
      } else if (match[1] == "\"") {
        report(where, "include the project's headers as \"room/file.h\" and others in <>");
      }
    }
  }

  // Every trivium_X named in a room's CMakeLists.txt counts as linked, whatever command names it.
  void check_links(const SourceFile& file, const std::string& name, const Room& room) {
    static const std::regex library(R"(\btrivium_\w+)");
    static const std::regex comment("#[^\n]*");
    const std::string text = std::regex_replace(file.text, comment, "");
    for (std::sregex_iterator match(text.begin(), text.end(), library), end; match != end;
         ++match) {
      const std::string linked = match->str();
      if (linked == "trivium_library") continue;
      const auto found = room_of_library_.find(linked);
      if (linked == "trivium_torch") {
        if (!room.may_use_torch) report(file.path, name + " may not link LibTorch");
      } else if (found == room_of_library_.end()) {
        report(file.path, "no room makes the library " + linked);
      } else if (found->second != name) {
        links_[name].insert(found->second);
        if (room.may_include.count(found->second) == 0) {
          report(file.path, name + " may not link " + linked);
        }
      }
    }
  }

  void check_that_includes_are_linked() {
    for (const auto& [name, folders] : included_) {
      if (name == "main.cc") continue;  // linked in src/CMakeLists.txt
      for (const auto& [folder, where] : folders) {
        if (links_[name].count(folder) != 0) continue;
        report(where, "includes from " + folder + ", but src/" + name +
                          "/CMakeLists.txt does not name its library in DEPS");
      }
    }
  }

  const std::vector<SourceFile>& files_;
  std::map<std::string, std::string> room_of_library_;
  std::map<std::string, std::map<std::string, std::string>> included_;  // room, room, first place
  std::map<std::string, std::set<std::string>> links_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> layering_violations(const std::vector<SourceFile>& files) {
  return Checker(files).violations();
}

}  // namespace trivium
