#include "cli/batch/process_group.h"

#include <utility>

namespace trivium::cli {
namespace {

ProcessGroupMaker group_maker = nullptr;

class OneProcess : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::vector<Json> gather(Json of_this) override {
    std::vector<Json> all;
    all.push_back(std::move(of_this));
    return all;
  }
  Json share(Json of_first) override { return of_first; }
};

}  // namespace

void set_process_group_maker(ProcessGroupMaker maker) { group_maker = maker; }

std::unique_ptr<ProcessGroup> join_process_group() {
  if (launch_from_environment().size == 1) return std::make_unique<OneProcess>();
  check(group_maker != nullptr, "trivium starts trivium-train for several processes");
  return group_maker();
}

void do_in_first(ProcessGroup& group, const std::function<void()>& work) {
  Json error;
  try {
    if (group.is_first()) work();
  } catch (const Error& e) {
    error = to_json(e);
  }
  error = group.share(std::move(error));
  if (!error.is_null()) throw_error(error);
}

Json to_json(const Error& error) {
  return {{"code", static_cast<int>(error.code())}, {"message", error.what()}};
}

void throw_error(const Json& error) {
  throw Error(static_cast<ExitCode>(error.at("code").get<int>()),
              error.at("message").get<std::string>());
}

void require_equal(ProcessGroup& group, const Json& settings) {
  if (group.share(settings) == settings) return;
  throw Error(ExitCode::kUsage,
              "process " + std::to_string(group.rank()) +
                  " was given other flags or another checkpoint than process 0; give all the same, "
                  "or unset the launcher's variables (RANK and WORLD_SIZE of torchrun) in each");
}

}  // namespace trivium::cli
