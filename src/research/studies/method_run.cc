#include "research/studies/method_run.h"

namespace trivium::research {
namespace {

Json results_json(const std::vector<TaskResult>& results) {
  Json rows = Json::array();
  for (const TaskResult& result : results) {
    rows.push_back({{"task", result.task},
                    {"family", result.family},
                    {"metric", result.metric},
                    {"score", result.score},
                    {"majority", result.majority}});
  }
  return rows;
}

std::vector<TaskResult> results_from(const Json& json, const char* key, const std::string& where) {
  std::vector<TaskResult> results;
  for (const Json& row : json_get<std::vector<Json>>(json, key, where)) {
    results.push_back(
        {json_get<std::string>(row, "task", where), json_get<std::string>(row, "family", where),
         json_get<std::string>(row, "metric", where), json_get<double>(row, "score", where),
         json_get<double>(row, "majority", where)});
  }
  return results;
}

}  // namespace

Json to_json(const MethodRun& run) {
  Json few_shot = Json::array(), templates = Json::array();
  for (const FewShotScores& task : run.few_shot) {
    few_shot.push_back({{"task", task.task}, {"family", task.family}, {"scores", task.scores}});
  }
  for (const TemplateScores& task : run.templates) {
    templates.push_back({{"task", task.task}, {"scores", task.scores}});
  }
  return {{"method", run.method},
          {"seed", run.seed},
          {"seen", results_json(run.seen)},
          {"zero_shot", results_json(run.zero_shot)},
          {"zero_shot_ranked", results_json(run.zero_shot_ranked)},
          {"templates", std::move(templates)},
          {"few_shot", std::move(few_shot)},
          {"training_flops", run.training_flops},
          {"inference_flops", run.inference_flops},
          {"training_seconds", run.training_seconds}};
}

MethodRun method_run_from_json(const Json& json, const std::string& where) {
  MethodRun run;
  run.method = json_get<std::string>(json, "method", where);
  run.seed = json_get<int64_t>(json, "seed", where);
  run.seen = results_from(json, "seen", where);
  run.zero_shot = results_from(json, "zero_shot", where);
  run.zero_shot_ranked = results_from(json, "zero_shot_ranked", where);
  for (const Json& task : json_get<std::vector<Json>>(json, "templates", where)) {
    run.templates.push_back({json_get<std::string>(task, "task", where),
                             json_get<std::vector<double>>(task, "scores", where)});
  }
  for (const Json& task : json_get<std::vector<Json>>(json, "few_shot", where)) {
    run.few_shot.push_back({json_get<std::string>(task, "task", where),
                            json_get<std::string>(task, "family", where),
                            json_get<std::vector<double>>(task, "scores", where)});
  }
  run.training_flops = json_get<double>(json, "training_flops", where);
  run.inference_flops = json_get<double>(json, "inference_flops", where);
  run.training_seconds = json_get<double>(json, "training_seconds", where);
  return run;
}

}  // namespace trivium::research
