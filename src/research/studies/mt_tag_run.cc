#include "research/studies/mt_tag_run.h"

#include "core/base/error.h"

namespace trivium::research {

Json to_json(const MtTagRun& run) {
  Json runs = Json::array();
  for (const FineTuneRun& item : run.runs) {
    runs.push_back({{"job", item.job},
                    {"task", item.task},
                    {"metric", item.metric},
                    {"seed", item.seed},
                    {"dev", item.dev},
                    {"best_epoch", item.best_epoch},
                    {"gates", item.gates},
                    {"answers", item.answers}});
  }
  return {{"variant", run.variant},
          {"training_seed", run.training_seed},
          {"training_seconds", run.training_seconds},
          {"training_examples", run.training_examples},
          {"training_steps", run.training_steps},
          {"last_loss", run.last_loss},
          {"use", run.use},
          {"runs", std::move(runs)},
          {"golds", run.golds}};
}

MtTagRun mt_tag_run_from_json(const Json& json, const std::string& where) {
  using Answers = std::map<std::string, std::vector<std::string>>;
  MtTagRun run;
  run.variant = json_get<std::string>(json, "variant", where);
  run.training_seed = json_get<int64_t>(json, "training_seed", where);
  run.training_seconds = json_get<double>(json, "training_seconds", where);
  run.training_examples = json_get<int64_t>(json, "training_examples", where);
  run.training_steps = json_get<int64_t>(json, "training_steps", where);
  run.last_loss = json_get<double>(json, "last_loss", where);
  run.use = json_get<std::map<std::string, std::vector<std::vector<double>>>>(json, "use", where);
  for (const Json& item : json_get<std::vector<Json>>(json, "runs", where)) {
    run.runs.push_back(
        {json_get<std::string>(item, "job", where), json_get<std::string>(item, "task", where),
         json_get<std::string>(item, "metric", where), json_get<int64_t>(item, "seed", where),
         json_get<double>(item, "dev", where), json_get<int64_t>(item, "best_epoch", where),
         json_get<std::string>(item, "gates", where), json_get<Answers>(item, "answers", where)});
  }
  run.golds = json_get<Answers>(json, "golds", where);
  return run;
}

std::vector<Scored> scored_items(const MtTagRun& run, const FineTuneRun& fine_tuned,
                                 const std::string& perturbation) {
  const std::vector<std::string>& golds = run.golds.at(fine_tuned.task);
  const std::vector<std::string>& answers = fine_tuned.answers.at(perturbation);
  check(golds.size() == answers.size(), "one answer a test line");
  std::vector<Scored> items;
  for (size_t i = 0; i < golds.size(); ++i) items.push_back({answers[i], {golds[i]}});
  return items;
}

}  // namespace trivium::research
