// A route without one of its experts, from what a checkpoint stores of its routes.
#pragma once

#include "cli/repl/route_picture.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {

// `route`, which is that of the catalog's row `row` or has pins besides, where `removed.expert` may
// not be taken at `removed.place`: what `trivium routes disable` means by it
// (docs/spec/task_level.md, sections 3 and 13). Where a router chooses one expert, the next
// likeliest takes its place; otherwise its weight goes to the others in proportion to theirs, in
// equal parts where they have none. Error kUsage where the layer does not take the expert, or no
// other is likely at all.
TaskRoute route_without(const LoadedModel& model, int64_t row, TaskRoute route, const Pin& removed);

}  // namespace trivium::cli
