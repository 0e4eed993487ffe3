#include "research/settings/mt_tag_settings.h"

namespace trivium::research {

void MtTagSettings::visit(SettingsVisitor& v) {
  v.text("experiment.init", init, {}, "folder of a BERT or MiniLM encoder (Hugging Face's files)");
  v.text("experiment.gym", gym, {}, "folder of the collection of tasks");
  v.text("experiment.methods_folder", methods_folder, {},
         "folder of the methods' training settings, METHOD.toml");
  v.text("experiment.plan", plan, {},
         "the study's plan (TOML): its tables, what they need to have trained, the paper's numbers "
         "and claims; empty: the shipped configs/mt_tag/plan.toml");
  v.texts("experiment.tables", tables,
          "tables of the plan to make. Of the shipped one the paper's T1 to T8 (T10 and T11 are "
          "their tasks one by one); and what is not in it: scale, other scales of the gate; gates, "
          "gates from task embeddings");
  v.texts("experiment.overrides", overrides,
          "settings of every method's multi-task training, as --set takes them");
  v.integers("experiment.layers", layers,
             "encoder layers: of the plan's rows with layers (T4) those with one of these");
  v.integers("experiment.experts", experts,
             "of the plan's rows with experts (T8) those with one of these");
  v.texts("experiment.gates", gates,
          "of the plan's columns with gates (T6) those with one of these: random (new ones), "
          "nearest, or those of a task");
  v.texts("experiment.scales", scales,
          "of the plan's rows with a scale (table scale) those with one of these, as "
          "model.gate_scale has them");
  v.integer("experiment.dev_examples", dev_examples, 0, INT64_MAX,
            "dev lines of a task, for early stopping; 0: all");
  v.integer("experiment.test_examples", test_examples, 0, INT64_MAX,
            "test lines of a task; 0: all");
  v.integer("experiment.max_length", max_length, 8, 1 << 20, "ids of a text or pair");
  v.integers("experiment.training_seeds", training_seeds,
             "seeds of the multi-task training, one each");
  v.integer("experiment.threads", threads, 0, 4096, "CPU threads; 0: all");
  v.text("experiment.output", output, {}, "folder of the runs and of the report");
  v.integers("fine_tune.seeds", seeds, "seeds of fine-tuning, one run each");
  v.integer("fine_tune.epochs", epochs, 1, 10'000, "passes over the task's train lines");
  v.integer("fine_tune.examples_per_task", examples_per_task, 0, INT64_MAX,
            "train lines of a task, drawn by seed 0; 0: all");
  fine_tune.visit(v, "fine_tune");
}

}  // namespace trivium::research
