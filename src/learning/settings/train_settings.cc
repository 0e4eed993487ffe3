#include "learning/settings/train_settings.h"

namespace trivium::learning {
namespace {

const EnumNames<ClipBy> kClipNames = {{"global", ClipBy::kGlobal}, {"group", ClipBy::kGroup}};
const EnumNames<LossReduction> kLossNames = {{"token_mean", LossReduction::kTokenMean},
                                             {"example_mean", LossReduction::kExampleMean},
                                             {"token_sum", LossReduction::kTokenSum}};
const EnumNames<PoolKind> kPoolNames = {{"layer", PoolKind::kLayer},
                                        {"feed_forward", PoolKind::kFeedForward}};
const EnumNames<OutputBias> kOutputBiasNames = {{"keep", OutputBias::kKeep},
                                                {"frequency", OutputBias::kFrequency}};
const EnumNames<TemplateUse> kTemplateNames = {{"default", TemplateUse::kFirst},
                                               {"all", TemplateUse::kAll}};
const EnumNames<Batching> kBatchingNames = {{"heterogeneous", Batching::kHeterogeneous},
                                            {"homogeneous", Batching::kHomogeneous}};

}  // namespace

const EnumNames<Precision>& precision_names() {
  static const EnumNames<Precision> names = {{"fp32", Precision::kFloat32},
                                             {"bf16", Precision::kBfloat16}};
  return names;
}

const EnumNames<RoutePlan>& route_plan_names() {
  static const EnumNames<RoutePlan> names = {{"learned", RoutePlan::kLearned},
                                             {"average", RoutePlan::kAverage},
                                             {"task_random", RoutePlan::kTaskRandom},
                                             {"instance_random", RoutePlan::kInstanceRandom}};
  return names;
}

TaskVectorSource TrainSettings::task_vector_source() const {
  if (task_vectors == "learned") return TaskVectorSource::kLearned;
  return task_vectors == "text" ? TaskVectorSource::kText : TaskVectorSource::kFile;
}

void OptimiserSettings::visit(SettingsVisitor& v) {
  v.integer("train.steps", steps, 1, 100'000'000, "optimiser steps");
  v.integer("train.batch_tokens", batch_tokens, 16, 10'000'000,
            "padded source and target tokens in a batch; its rows follow from their lengths");
  v.integer("train.accumulation", accumulation, 1, 4096, "batches whose gradients make one step");
  v.number("train.learning_rate", learning_rate, 0, 1, "peak learning rate of the Transformer");
  v.number("train.decoder_learning_rate", decoder_learning_rate, 0, 1,
           "that of the decoder's layers; 0: as train.learning_rate");
  v.number("train.router_learning_rate", router_learning_rate, 0, 1, "that of the router");
  v.number("train.task_vector_learning_rate", task_vector_learning_rate, 0, 1,
           "that of the task vectors; 0: frozen");
  v.number("train.weight_decay", weight_decay, 0, 1,
           "decoupled weight decay; not of biases and LayerNorms");
  v.number("train.warmup", warmup, 0, 1,
           "share of the steps, at their start, with rising learning rate");
  v.number(
      "train.cooldown", cooldown, 0, 1,
      "share of the steps, at their end, with learning rate falling to 0; 1: as soon as it has "
      "risen");
  v.number("train.clip", clip, 0, 1e6, "largest gradient norm; 0: no clipping");
  v.choice("train.clip_by", clip_by, kClipNames, "one norm over all, or one a parameter group");
  v.integer("train.max_skipped", max_skipped, 0, 1'000'000, kMaxSkippedHelp);
  v.integer("train.alternate_every", alternate_every, 0, 1'000'000,
            "steps in turn of router and task vectors alone, then of the Transformer alone; 0: all "
            "in every step");
  v.number("train.expert_regularisation", expert_regularisation, 0, 1e6,
           "coefficient of the loss that pulls the experts of a layer together: the sum of the "
           "distances of their tensors");
  v.number("train.label_smoothing", label_smoothing, 0, 0.99, "mass spread over the vocabulary");
  v.choice("train.loss", loss, kLossNames,
           "mean over target tokens, mean over examples of their mean, or the sum over tokens");
  v.number("train.dropout", dropout, 0, 0.9, "dropout of the residual branches and embeddings");
  v.number("train.attention_dropout", attention_dropout, 0, 0.9,
           "dropout of attention weights; above 0 the CPU has no fused attention kernel");
  v.choice("train.precision", precision, precision_names(),
           "bf16: matrix products in bfloat16, weights and optimiser in float32");
  v.integer("train.seed", seed, 0, INT64_MAX, "seed of the order of data, dropout and noise");
  v.integer("train.threads", threads, 0, 4096, "CPU threads; 0: all");
}

void RunSettings::visit(SettingsVisitor& v) {
  v.text("run.output", output, {}, "folder of the run: best/, last/, metrics.csv");
  v.integer("run.log_every", log_every, 1, 1'000'000, "steps between lines of progress");
  v.integer("run.eval_every", eval_every, 1, 100'000'000, "steps between evaluations on dev");
  v.integer("run.save_every", save_every, 1, 100'000'000,
            "steps between writings of last/, from which --resume goes on");
  v.integer("run.keep", keep, 0, 1000,
            "so many of the latest writings of last/ stay as saved/step-N beside it");
  v.flag("run.shard_experts", shard_experts,
         "with several processes: each keeps a part of every pool's experts, to which examples or "
         "tokens are sent");
}

void SecondStageSettings::visit(SettingsVisitor& v) {
  v.integer("second_stage.steps", steps, 0, 100'000'000,
            "optimiser steps of the second stage, which freezes the routes that the first has "
            "learned and trains the experts anew; 0: one stage");
  v.choice("second_stage.selection", selection, selection_names(),
           "its selection; softmax anneals from the average of the experts to the routes");
  v.number("second_stage.temperature", temperature, 1e-3, 1e6, "its temperature at step 0");
  v.number("second_stage.temperature_min", temperature_min, 1e-3, 1e6, "the floor");
  v.number("second_stage.temperature_rate", temperature_rate, 0, 1, "exponential decay a step");
}

namespace {

// What is read, and how it becomes batches.
void visit_data(TrainSettings& s, SettingsVisitor& v) {
  v.text("data.gym", s.gym, {}, "folder of the collection of tasks");
  v.text("data.part", s.part, {}, "part of its split.json to train on");
  v.texts("data.tasks", s.tasks, "these tasks instead of a part");
  v.text("data.prompts", s.prompts, {}, "folder of the prompt templates; empty: the shipped ones");
  v.choice("data.templates", s.templates, kTemplateNames,
           "a task's first template, or each of them in turn");
  v.integer("data.max_source_length", s.max_source_length, 8, 1 << 20,
            "input ids, cut on the right");
  v.integer("data.max_target_length", s.max_target_length, 4, 1 << 20,
            "output ids, cut on the right");
  v.integer("data.examples_per_task", s.examples_per_task, 0, INT64_MAX,
            "train lines read a task; 0: all");
  v.choice("data.batching", s.batching, kBatchingNames,
           "tasks mixed in a batch, or one task a batch");
  v.number("data.share_alpha", s.share_alpha, 0, 1,
           "a task's share is proportional to its size to this power");
  v.integer(
      "data.length_window", s.length_window, 0, 1 << 20,
      "batches of like lengths are cut from windows of so many, drawn at random; 0: from as "
      "many as a step has (train.accumulation), so that a step holds examples of all lengths");
  v.integer("data.eval_examples", s.eval_examples, 1, INT64_MAX,
            "dev examples a task at each evaluation");
}

}  // namespace

void TrainSettings::visit(SettingsVisitor& v) {
  v.text("model.init", init, {},
         "checkpoint to start from; a dense one gives every expert its layer");
  v.integer("model.num_experts", num_experts, 1, 64,
            "experts in a pool; 1: an ordinary dense model");
  v.choice("model.pool", pool, kPoolNames,
           "an expert is a layer, chosen by task, or a feed-forward part, chosen by token");
  v.choice("model.token_gates", token_gates, token_gate_names(),
           "of feed-forward experts: a gate for every task, or one for all");
  v.choice("model.gate_scale", gate_scale, gate_scale_names(),
           "what the chosen feed-forward expert's output is multiplied by");
  v.integer("model.gate_embedding_dim", gate_embedding_dim, 0, 65536,
            "gates made from task embeddings of this length; 0: each has weights of its own");
  v.integers("model.encoder_vanilla_layers", encoder_vanilla_layers,
             "encoder layers that stay one ordinary layer");
  v.integers("model.decoder_vanilla_layers", decoder_vanilla_layers,
             "decoder layers that stay one ordinary layer");
  v.number("model.expert_noise", expert_noise, 0, 1,
           "std of the noise that tells copied experts apart");
  v.choice("model.routes", routes, route_plan_names(),
           "learned by a router; or constant: all experts alike, model.random_experts drawn once a "
           "task and layer, or one drawn anew for every example, step and layer");
  v.integer("model.random_experts", random_experts, 1, 64,
            "experts that task_random gives each task in each layer");
  v.choice("model.selection", selection, selection_names(),
           "from router logits to weights over experts");
  v.integer("model.task_vector_dim", task_vector_dim, 1, 65536, "length of a task's vector");
  v.text("model.task_vectors", task_vectors, {},
         "learned: random at first; text: mean encoder state of the task's train inputs, "
         "standardised; else a file that `trivium task vector` wrote");
  v.choice("model.router", router, router_names(),
           "from a task's vector to logits over experts; _layer_specific: weights for every layer");
  v.number("model.router_init_std", router_init_std, 0, 10, "std of a new router's weights");
  v.number("model.exploration", exploration, 0, 1,
           "probability, for each example and layer in training, of a random expert instead");
  v.number("model.temperature", temperature, 1e-3, 1e6, "selection temperature at step 0");
  v.number("model.temperature_min", temperature_min, 1e-3, 1e6, "its floor");
  v.number("model.temperature_rate", temperature_rate, 0, 1, "its exponential decay a step");
  v.flag("model.freeze_routes", freeze_routes, "keep router and task vectors as they are");
  v.choice("model.output_bias", output_bias, kOutputBiasNames,
           "the bias of the output layer, which no step moves: as it is, or the logarithm of each "
           "token's share of the targets, so that a decoder need not learn which tokens are usual");
  visit_data(*this, v);
  optimiser.visit(v);
  second_stage.visit(v);
  run.visit(v);
}

void PretrainSettings::visit(SettingsVisitor& v) {
  v.text("model.init", init, {}, "checkpoint to start from");
  v.texts("data.text_files", text_files, "plain text, one paragraph a line");
  v.text("data.gym", gym, {}, "use the text fields of this gym's train records too; empty: none");
  v.text("data.part", part, {}, "part of its split.json");
  v.number("data.mask_ratio", mask_ratio, 0, 0.9, "share of the tokens that text infilling masks");
  v.number("data.span_mean", span_mean, 0.1, 50, "mean span length (Poisson)");
  v.flag("data.permute_sentences", permute_sentences, "shuffle the sentences of a paragraph");
  v.integer("data.max_length", max_length, 8, 1 << 20, "ids of a paragraph, cut on the right");
  v.integer("data.eval_paragraphs", eval_paragraphs, 1, INT64_MAX,
            "paragraphs held out for the dev loss");
  optimiser.visit(v);
  run.visit(v);
}

}  // namespace trivium::learning
