// answer [FOLDER]: is a film good? Asks the checkpoint in FOLDER, or the one that trivium ships.
#include <trivium/trivium.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  const std::string task = "sst2";
  const std::vector<std::string> films = {"a gorgeous, witty film", "a dull and endless war film"};
  const std::vector<std::string> labels = {"negative", "positive"};
  try {
    auto generator = trivium::Generator::load(argc > 1 ? argv[1] : "");
    const auto answers = generator.generate(films, task);
    for (size_t i = 0; i < films.size(); ++i) {
      const auto scores = generator.score(films[i], labels, task);
      const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
      std::printf("%s: %s; the likelier label: %s\n", films[i].c_str(), answers[i].text.c_str(),
                  labels[static_cast<size_t>(best)].c_str());
    }
    const auto route = generator.route_of_task(task);
    std::printf("layers: %zu and %zu\n", route.encoder.size(), route.decoder.size());
    generator.route_of_task("no such task");
  } catch (const trivium::GeneratorError& error) {
    std::printf("code %d: %s\n", error.code(), error.what());
  }
}
