// Which tensors a model of a config.json has, by name and shape.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/config/model_config.h"

namespace trivium {

using ShapesByName = std::map<std::string, std::vector<int64_t>>;
// The shape of the tensor of that name; empty where there is none.
using ShapeOf = std::function<std::vector<int64_t>(const std::string& name)>;

// All but the router's ("router."), which only training knows. `num_tasks`: rows of task vectors,
// of the table of routes, or of token gates.
ShapesByName model_shapes(const ModelConfig& config, int64_t num_tasks);

// Whether the tensor only chooses routes: of the router, a task vector, or the table of routes.
bool only_chooses_routes(const std::string& name);

// Whether the number of tasks is part of the model's tensors.
bool has_task_rows(const ModelConfig& config);
// The model's tasks, as far as its tensors tell: 0 where none does.
int64_t count_task_rows(const ModelConfig& config, const ShapeOf& shape_of);

// Error kBadModel, beginning with `where`, where `found` lacks a tensor of the model, has one of
// another shape, or one that the model has no place for.
void refuse_other_shapes(const ModelConfig& config, const ShapesByName& found,
                         const std::string& where);

// Error kBadModel for a tensor: "WHERE: tensor "NAME" PROBLEM".
[[noreturn]] void refuse_tensor(const std::string& name, const std::string& problem,
                                const std::string& where);

// Error kBadModel where config.json asks for far more than the `held` elements of the weights: a
// hostile one beside small weights must not make the model allocate gigabytes.
void refuse_oversized(const ModelConfig& config, double held, const std::string& where);

}  // namespace trivium
