// The processes that answer the lines of one file together, as torchrun, srun or mpirun start them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/launch.h"

namespace trivium::cli {

// Every process calls the same functions in the same order. Error kUnavailable where another
// process has ended.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  // What each process has, by rank, in the first; nothing in the others.
  virtual std::vector<Json> gather(Json of_this) = 0;
  // What the first has, in all.
  virtual Json share(Json of_first) = 0;

  // The one that writes files and speaks to people.
  bool is_first() const { return rank() == 0; }
};

// How trivium-train connects processes. (trivium starts trivium-train where a launcher has started
// several.)
using ProcessGroupMaker = std::unique_ptr<ProcessGroup> (*)();
void set_process_group_maker(ProcessGroupMaker maker);

// The processes that a launcher has started, found by its variables; one alone where there is none.
// Errors as launch_from_environment, and kUnavailable where they do not find one another.
std::unique_ptr<ProcessGroup> join_process_group();

// Does `work` in the first process. Where that ends with an Error, all processes do.
void do_in_first(ProcessGroup& group, const std::function<void()>& work);

// An Error as it travels to the other processes, and what it is there.
Json to_json(const Error& error);
[[noreturn]] void throw_error(const Json& error);

// Error kUsage where the processes were not all given the same.
void require_equal(ProcessGroup& group, const Json& settings);

}  // namespace trivium::cli
