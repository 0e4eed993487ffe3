// trivium routes disable, resolve: what a route's experts are worth, and routes.json for an old
// checkpoint.
void run_disable(const RoutesFlags& flags) {
  GeneratorOptions options;
  options.stop = &stop_requested();
  LoadedModel model = load_model(flags.model, options);
  const Gym gym(flags.gym);
  const PromptLibrary prompts(home_folder() / "prompts");
  const FeatureTable features = features_of(flags, model, gym, prompts);
  const CorrelationReport correlations = correlate(dump_of(model), features);
  std::vector<int64_t> rows;
  std::vector<EvaluationTask> tasks;
  for (const std::string& name : features.tasks) {
    rows.push_back(static_cast<int64_t>(model.tasks().index_of(name)));
    tasks.push_back(
        load_evaluation_task(gym, prompts, name, Split::kTest, static_cast<size_t>(flags.limit)));
  }
  SearchOptions search = model.generator().default_search();
  search.num_beams = 1;
  Evaluator evaluator(model.generator(), search, /*resamples=*/0);
  size_t scored = 0;
  const RouteScorer score = [&](size_t task, const TaskRoute& route) {
    const double value = evaluator
                             .evaluate(tasks[task], route,
                                       flags.mode == "ranking" ? EvaluationMode::kRanking
                                                               : EvaluationMode::kGeneration)
                             .score;
    if (stop_requested()) throw Error(ExitCode::kInterrupted, "stopped");
    if (++scored % 20 == 0) spdlog::info("{} evaluations of a task on a route", scored);
    return std::isfinite(value) ? value : 0;
  };
  DisablingOptions disabling = flags.disabling;
  disabling.temperature = model.config().routing.selection_temperature;
  const DisablingReport report =
      disable_experts(model.model(), rows, features, correlations.found(), score, disabling);
  print(flags.json ? to_json_line(to_json(report)) + "\n" : to_markdown(report));
}

void add_disable_flags(CLI::App& command, RoutesFlags& flags) {
  add_gym_flags(command, flags);
  command
      .add_option("--limit", flags.limit, "only the first so many test records of a task; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command.add_option("--pairs", flags.disabling.pairs, "so many pairs, the least p first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--random", flags.disabling.random, "other experts to compare each with")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--seed", flags.disabling.seed, "of the choice of the other experts")
      ->capture_default_str();
  command
      .add_option("--mode", flags.mode,
                  "generation: what the model writes; ranking: the likeliest of a task's options")
      ->check(CLI::IsMember({"generation", "ranking"}))
      ->capture_default_str();
}

