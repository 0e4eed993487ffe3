#include "cli/repl/answerer.h"

#include "cli/repl/answer_stream.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostTexts = 1000;  // of /score

Answer best_of(const OptionRanking& ranking) {
  Answer answer;
  answer.truncated = ranking.truncated;
  if (ranking.options.empty()) return answer;
  answer.text = ranking.options.front().text;
  answer.score = ranking.options.front().log_likelihood;
  answer.finished = true;
  return answer;
}

}  // namespace

bool Answerer::ask(const std::string& text) {
  conversation_.last = Asked{conversation_.model.resolve(conversation_.task, text), text, ""};
  const ResolvedPrompt& asked = conversation_.last->resolved;
  if (asked.source == TaskSource::kNearest) screen_.say(asked.reason, Ink::kDim);
  return answer_last();
}

bool Answerer::ask_again() {
  conversation_.last_prompt();
  if (conversation_.search.sample) {
    ++conversation_.search.seed;
    screen_.say("(seed=" + std::to_string(conversation_.search.seed) + ")", Ink::kDim);
  }
  return answer_last();
}

bool Answerer::answer_last() {
  Asked& last = *conversation_.last;
  const ResolvedPrompt& asked = last.resolved;
  last.answer.clear();
  if (!asked.fits) {
    screen_.say("I am not sure what kind of task this is. /tasks lists those that I know; /task " +
                    asked.task + " asks the nearest.",
                Ink::kWarning);
    return false;
  }
  const TaskRoute route = pinned_route(asked.prompt.route, conversation_.pins);
  const Answer answer = show(asked, route);
  last.answer = answer.text;
  if (answer.truncated) {
    screen_.say("(the prompt is longer than the model reads, and was cut)", Ink::kWarning);
  }
  if (stop_.load()) return false;
  conversation_.exchanges.push_back({last.text, asked.task, asked.source, route, answer.text,
                                     answer.score, conversation_.search});
  return true;
}

// Of a task that has answers, these are ranked, unless the user asked for drawn ones.
bool Answerer::is_ranked(const ResolvedPrompt& asked) const {
  return !asked.options.empty() && !conversation_.search.sample;
}

Answer Answerer::find(const ResolvedPrompt& asked, const TaskRoute& route) {
  TextGenerator& generator = conversation_.model.generator();
  const Prompt prompt{asked.prompt.text, route};
  if (is_ranked(asked)) return best_of(rank_options(generator, prompt, asked.options));
  return generator.generate({prompt}, conversation_.search).at(0);
}

Answer Answerer::show(const ResolvedPrompt& asked, const TaskRoute& route) {
  const Prompt prompt{asked.prompt.text, route};
  if (is_ranked(asked)) return show_ranking(prompt, asked.options);
  TextGenerator& generator = conversation_.model.generator();
  const SearchOptions& search = conversation_.search;
  AnswerStream stream(screen_.out, screen_.style);
  std::string so_far;  // what a stop leaves
  Answer answer;
  if (search.num_beams > 1) {
    answer = generator.generate({prompt}, search).at(0);
  } else {
    answer = generator.stream(prompt, search, [&](const std::string& text) {
      so_far = text;
      if (streams_) stream.update(text);
      return !stop_.load();
    });
  }
  if (answer.text.empty()) answer.text = so_far;
  if (!answer.text.empty()) stream.finish(answer.text);
  if (stop_.load()) {
    screen_.say("(stopped)", Ink::kDim);
  } else if (!answer.finished) {
    screen_.say("(cut at max_length=" + std::to_string(search.max_length) + ")", Ink::kDim);
  } else if (answer.text.empty()) {
    screen_.say("(an empty answer)", Ink::kDim);
  }
  return answer;
}

// The likeliest of a task's answers, and the shares of the first few of them.
Answer Answerer::show_ranking(const Prompt& prompt, const std::vector<std::string>& options) {
  const OptionRanking ranking = rank_options(conversation_.model.generator(), prompt, options);
  if (stop_.load() || ranking.options.empty()) {
    screen_.say("(stopped)", Ink::kDim);
    return {};
  }
  const Answer answer = best_of(ranking);
  screen_.out << sanitise(answer.text) << '\n';
  screen_.say("(of the task's answers: " + ranking_in_words(ranking) + ")", Ink::kDim);
  return answer;
}

void Answerer::score(const std::string& texts) {
  const Asked& last = conversation_.last_prompt();
  std::vector<std::string> options;
  for (const std::string& part : split(texts, '|')) {
    options.emplace_back(trim(part));
    if (options.back().empty()) {
      throw Error(ExitCode::kUsage, "write texts with | between them: /score yes | no");
    }
  }
  if (options.size() > kMostTexts) {
    throw Error(ExitCode::kUsage,
                "/score takes at most " + std::to_string(kMostTexts) + " texts at once");
  }
  const TaskRoute route = pinned_route(last.resolved.prompt.route, conversation_.pins);
  const OptionRanking ranking =
      rank_options(conversation_.model.generator(), {last.resolved.prompt.text, route}, options);
  if (stop_.load() || ranking.options.empty()) return screen_.say("(stopped)", Ink::kDim);
  screen_.out << ranking_picture(ranking, screen_.style);
  if (ranking.truncated) {
    screen_.say("(the prompt or a text is longer than the model reads, and was cut)",
                Ink::kWarning);
  }
}

}  // namespace trivium::cli
