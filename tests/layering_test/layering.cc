#include "layering_test/layering.h"

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "layering_test/rooms.h"

namespace trivium {
namespace {

const std::set<std::string>& areas() {
  static const std::set<std::string> names = {"core", "cli", "learning", "research"};
  return names;
}

const std::set<std::string>& torch_folders() {
  static const std::set<std::string> folders = {"torch", "ATen", "c10", "caffe2"};
  return folders;
}

bool starts_with(const std::string& text, const std::string& begin) {
  return text.rfind(begin, 0) == 0;
}

const Room* find_room(const std::string& name) {
  const auto place = std::find_if(rooms().begin(), rooms().end(),
                                  [&](const Room& room) { return room.name == name; });
  return place == rooms().end() ? nullptr : &*place;
}

bool may_use_torch(const Room& room) {
  return starts_with(room.name, "learning/") || starts_with(room.name, "research/");
}

// CUDA's own headers and libraries are known to these folders alone.
bool may_use_cuda(const std::string& path) {
  return starts_with(path, "src/core/kernels/cuda/") || starts_with(path, "src/core/engine/cuda/");
}

bool is_of_cuda(const std::string& header) {
  return header.find('/') == std::string::npos &&
         (starts_with(header, "cuda") || starts_with(header, "cublas") || header == "mma.h");
}

// "core/base/error.h" -> "core/base"; what has less than two folders is itself.
std::string first_two_folders(const std::string& path) {
  const size_t area = path.find('/');
  if (area == std::string::npos) return path;
  const size_t room = path.find('/', area + 1);
  return room == std::string::npos ? path : path.substr(0, room);
}

// "src/learning/model/layers.h" -> "learning/model"; nothing outside src/.
std::optional<std::string> room_of(const std::string& path) {
  if (!starts_with(path, "src/")) return std::nullopt;
  return first_two_folders(path.substr(4));
}

// The room that an include is from; nothing for what is not the project's.
std::optional<std::string> room_included(const std::string& header) {
  if (areas().count(header.substr(0, header.find('/'))) == 0) return std::nullopt;
  return first_two_folders(header);
}

bool may_include(const Room& room, const std::string& other) {
  return std::find(room.may_include.begin(), room.may_include.end(), other) !=
         room.may_include.end();
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
      const Room* room = find_room(*name);
      if (room == nullptr) {
        report(file.path, "src/" + *name + " is not a room of the table in rooms.cc");
      } else if (ends_with(file.path, "/CMakeLists.txt")) {
        check_links(file, *room);
      } else {
        check_includes(file, *room);
      }
    }
    check_that_includes_are_linked();
    return violations_;
  }

 private:
  void report(const std::string& where, const std::string& what) {
    violations_.push_back(where + ": " + what);
  }

  // Which room each library is in: trivium_room(core/base ...) makes trivium_core_base.
  void find_libraries() {
    static const std::regex library(R"(trivium_room\(\s*([\w/]+))");
    for (const SourceFile& file : files_) {
      const std::optional<std::string> room = room_of(file.path);
      if (!room || !ends_with(file.path, "/CMakeLists.txt")) continue;
      for (std::sregex_iterator match(file.text.begin(), file.text.end(), library), end;
           match != end; ++match) {
        const std::string named = (*match)[1].str();
        if (named != *room) report(file.path, "makes the room " + named + " in src/" + *room);
        std::string name = "trivium_" + named;
        std::replace(name.begin(), name.end(), '/', '_');
        room_of_library_[name] = *room;
      }
    }
  }

  void check_includes(const SourceFile& file, const Room& room) {
    static const std::regex include(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)re");
    // Whether it is C++ that includes it does not change with a build.
    static const std::regex condition(R"(^\s*#\s*(if|ifdef|ifndef)\b(?!\s+__cplusplus\b).*)");
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
      check_include(file, room, where, match[2], match[1] == "\"");
    }
  }

  void check_include(const SourceFile& file, const Room& room, const std::string& where,
                     const std::string& header, bool in_quotes) {
    const std::optional<std::string> other = room_included(header);
    if (other) {
      if (*other == room.name) return;
      included_[room.name].emplace(*other, where);
      if (!may_include(room, *other)) report(where, room.name + " may not include from " + *other);
    } else if (torch_folders().count(header.substr(0, header.find('/'))) != 0) {
      if (!may_use_torch(room)) report(where, room.name + " may not include LibTorch");
    } else if (is_of_cuda(header)) {
      if (!may_use_cuda(file.path)) {
        report(where, "only src/core/kernels/cuda and src/core/engine/cuda may include CUDA");
      }
    } else if (in_quotes) {
      report(where, "include the project's headers as \"area/room/file.h\" and others in <>");
    }
  }

  // Every trivium_X named in a room's CMakeLists.txt counts as linked, whatever command names it.
  void check_links(const SourceFile& file, const Room& room) {
    static const std::regex library(R"(\btrivium_\w+)");
    static const std::regex comment("#[^\n]*");
    const std::string text = std::regex_replace(file.text, comment, "");
    for (std::sregex_iterator match(text.begin(), text.end(), library), end; match != end;
         ++match) {
      const std::string linked = match->str();
      if (linked == "trivium_room" || linked == "trivium_assets") continue;  // functions
      const auto found = room_of_library_.find(linked);
      if (linked == "trivium_torch") {
        if (!may_use_torch(room)) report(file.path, room.name + " may not link LibTorch");
      } else if (found == room_of_library_.end()) {
        report(file.path, "no room makes the library " + linked);
      } else if (found->second != room.name) {
        links_[room.name].insert(found->second);
        if (!may_include(room, found->second)) {
          report(file.path, room.name + " may not link " + linked);
        }
      }
    }
  }

  void check_that_includes_are_linked() {
    for (const auto& [name, others] : included_) {
      if (ends_with(name, ".cc")) continue;  // a main file, linked in src/CMakeLists.txt
      for (const auto& [other, where] : others) {
        if (links_[name].count(other) != 0) continue;
        report(where, "includes from " + other + ", but src/" + name +
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
