// Trivium's library: loads a checkpoint whose layers hold pools of experts, and answers with it,
// each prompt by the route of its task. Link trivium::trivium (find_package(trivium)).
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace trivium {

// The numbers that the weights are kept in for computing.
enum class Precision { kFloat32, kBfloat16, kInt8 };

struct LoadSettings {
  int threads = 0;  // 0: one a core
  Precision precision = Precision::kFloat32;
};

// How to search for an answer; 0 stands for what the checkpoint asks for.
struct AnswerSettings {
  int num_beams = 0;
  int max_length = 0;   // tokens of an answer
  bool sample = false;  // draw each token, instead of the likeliest answer; without beams
  double temperature = 1.0;
  int top_k = 0;  // draw from so many tokens; 0: from all
  double top_p = 1.0;
  uint64_t seed = 0;
};

// What the caller can mend: one line that says what is wrong, where, and what to do.
class GeneratorError : public std::runtime_error {
 public:
  GeneratorError(int code, const std::string& message);
  ~GeneratorError() override;
  // As the program's exit codes: 2 wrong usage, 66 no such checkpoint or task, 76 a bad checkpoint
  // …
  int code() const { return code_; }

 private:
  int code_;
};

// A checkpoint that is ready to answer. One call at a time; several generators may work side by
// side. Each function throws GeneratorError for what the caller can mend.
class Generator {
 public:
  struct Answer {
    std::string text;
    std::string task;        // whose route it took; "" where the checkpoint knows no tasks
    double score = 0;        // log-probability (with beams divided by the length penalty)
    bool finished = false;   // ended by itself, not cut at the maximal length
    bool truncated = false;  // the prompt was longer than the model's input, and was cut
    bool fits = true;        // false: no known task is like the prompt, and the answer says little
  };
  // Weights over the experts of each layer, [layers][experts]; an ordinary layer has one weight, 1.
  struct Route {
    std::string task;
    std::vector<std::vector<float>> encoder;
    std::vector<std::vector<float>> decoder;
  };

  // The checkpoint in `folder`; "" stands for the one that trivium ships.
  static Generator load(const std::string& folder = "", const LoadSettings& settings = {});
  ~Generator();
  Generator(Generator&& other) noexcept;
  Generator& operator=(Generator&& other) noexcept;

  // The tasks that the checkpoint knows.
  std::vector<std::string> tasks() const;

  // An answer for each prompt, in order. `task` "" stands for the nearest known task of each.
  std::vector<Answer> generate(const std::vector<std::string>& prompts,
                               const std::string& task = "", const AnswerSettings& settings = {});

  // The log-probability of each option (one at least) as the prompt's answer.
  std::vector<double> score(const std::string& prompt, const std::vector<std::string>& options,
                            const std::string& task = "");

  // The route of a task; the route that a prompt would take.
  Route route_of_task(const std::string& task) const;
  Route route_of_prompt(const std::string& prompt) const;

  // Of each text the mean of the encoder's output over its tokens, of length 1: [texts][d_model].
  // Two texts are alike as far as the product of their vectors is near 1. The text is read as it
  // is, without a template; `task` "" stands for the route of a prompt without a task.
  std::vector<std::vector<float>> embed(const std::vector<std::string>& texts,
                                        const std::string& task = "");

 private:
  struct State;
  explicit Generator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trivium
