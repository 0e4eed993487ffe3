#include "research/settings/experiment_settings.h"

namespace trivium::research {

void TaskLevelSettings::visit(SettingsVisitor& v) {
  v.text("experiment.init", init, {}, "dense checkpoint that every method starts from");
  v.text("experiment.gym", gym, {}, "folder of the collection of tasks: seen and unseen");
  v.text("experiment.prompts", prompts, {},
         "folder of the prompt templates; empty: the shipped ones");
  v.text("experiment.methods_folder", methods_folder, {},
         "folder of the methods' training settings, METHOD.toml");
  v.texts("experiment.methods", methods, "the methods to compare, in the table's order");
  v.texts("experiment.overrides", overrides,
          "settings of every method's training, as --set takes them; those of a second stage count "
          "where the method has one");
  v.text("experiment.plan", plan, {},
         "the study's plan (TOML): what the slides say of the methods; empty: the shipped "
         "configs/task_level/plan.toml");
  v.text("experiment.tried", tried, {},
         "file of other settings of the methods (TOML); with --tried they are trained and scored "
         "on seen tasks too");
  v.integers("experiment.seeds", seeds, "seeds of training, one run each");
  v.integer("experiment.seen_examples", seen_examples, 0, INT64_MAX,
            "test examples of a seen task; 0: all");
  v.integer("experiment.unseen_examples", unseen_examples, 0, INT64_MAX,
            "test examples of an unseen task; 0: all");
  v.flag("experiment.templates", templates,
         "score zero-shot with each of a task's templates too: median and spread");
  v.integer("experiment.threads", threads, 0, 4096, "CPU threads; 0: all");
  v.text("experiment.output", output, {}, "folder of the runs and of the report");
  v.integers("few_shot.samples", samples,
             "seeds of the data samples of an unseen task; empty: no few-shot tuning");
  v.numbers("few_shot.learning_rates", learning_rates, "the grid's learning rates");
  v.integers("few_shot.batch_sizes", batch_sizes, "the grid's batch sizes, in examples");
  v.integer("few_shot.steps", steps, 1, 1'000'000, "optimiser steps of a cell of the grid");
  v.integer("few_shot.eval_every", eval_every, 1, 1'000'000, "steps between scores on dev");
  v.choice("few_shot.precision", precision, learning::precision_names(), "as train.precision");
}

}  // namespace trivium::research
