#include "cli/benches/benches.h"

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/metrics/quantile.h"

namespace trivium::cli {

Json spread(const std::vector<double>& figures) {
  return {{"median", median(figures)},
          {"min", *std::min_element(figures.begin(), figures.end())},
          {"max", *std::max_element(figures.begin(), figures.end())}};
}

ModelConfig bench_config(const std::string& checkpoint, int64_t tokens) {
  ModelConfig config;
  if (!checkpoint.empty()) {
    const std::filesystem::path file = std::filesystem::path(checkpoint) / "config.json";
    config = model_config_from_json(read_json_file(file, ExitCode::kBadModel), file.string());
  }
  if (tokens > config.max_position_embeddings) {
    throw Error(ExitCode::kUsage,
                "--source-tokens and --target-tokens must be at most the model's " +
                    std::to_string(config.max_position_embeddings) + " positions");
  }
  config.routing = {};
  return config;
}

}  // namespace trivium::cli
