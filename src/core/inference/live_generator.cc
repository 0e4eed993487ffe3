#include "core/inference/live_generator.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace trivium {

LiveAnswer::State LiveAnswer::wait(int64_t seen, std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience,
                    [&] { return state_.tokens > seen || state_.answer || error_ != nullptr; });
  if (error_) std::rethrow_exception(error_);
  return state_;
}

std::vector<LiveAnswer::Token> LiveAnswer::tokens() const {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

void LiveAnswer::cancel() {
  const std::lock_guard lock(mutex_);
  is_cancelled_ = true;
}

bool LiveAnswer::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return is_cancelled_;
}

void LiveAnswer::grow(std::string text, const ChosenToken& token) {
  {
    const std::lock_guard lock(mutex_);
    tokens_.push_back({token, state_.text.size()});
    state_.text = std::move(text);
    ++state_.tokens;
  }
  changed_.notify_all();
}

void LiveAnswer::end(Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    state_.text = answer.text;
    state_.tokens = answer.target_tokens;
    state_.answer = std::move(answer);
  }
  changed_.notify_all();
}

void LiveAnswer::fail(const std::exception_ptr& error) {
  {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }
  changed_.notify_all();
}

LiveGenerator::LiveGenerator(TextGenerator& generator, std::vector<const TaskRoute*> routes,
                             const LiveOptions& options)
    : generator_(generator), routes_(std::move(routes)), options_(options) {
  begin_batch();  // here, so that an engine that cannot is an error at once
  worker_ = std::thread([this] { serve(); });
}

LiveGenerator::~LiveGenerator() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  asked_.notify_all();
  worker_.join();
}

std::shared_ptr<LiveAnswer> LiveGenerator::ask(const Prompt& prompt, const SearchOptions& search,
                                               uint64_t draw) {
  const auto own = std::make_shared<const SearchOptions>(generator_.search_of(prompt, search));
  check_search_options(*own, generator_.config().vocab_size);
  auto question = std::make_shared<Question>();
  question->answer = std::make_shared<LiveAnswer>();
  question->source = generator_.encode(prompt.text);
  question->answer->state_.source_tokens = static_cast<int64_t>(question->source.ids.size());
  question->answer->state_.truncated = question->source.truncated;
  question->prompt = prompt;
  question->search = own;
  question->draw = draw;
  std::shared_ptr<LiveAnswer> answer = question->answer;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(questions_, [](const auto& other) { return other->answer->is_cancelled(); });
    if (questions_.size() >= options_.max_waiting + free_places()) return nullptr;
    questions_.push_back(std::move(question));
  }
  asked_.notify_all();
  return answer;
}

bool LiveGenerator::run(const std::function<void(TextGenerator& generator)>& work) {
  Job job{&work, nullptr};
  std::unique_lock lock(mutex_);
  check(!is_ending_, "nobody asks one that ends");
  if (jobs_.size() >= options_.max_waiting + static_cast<size_t>(options_.places)) return false;
  jobs_.push_back(&job);
  asked_.notify_all();
  job_done_.wait(lock, [&] { return job.is_done; });
  if (job.error) std::rethrow_exception(job.error);
  return true;
}

LiveGenerator::Load LiveGenerator::load() const {
  const std::lock_guard lock(mutex_);
  Load load = load_;
  load.waiting = static_cast<int64_t>(questions_.size());
  return load;
}

// With the lock held.
size_t LiveGenerator::free_places() const {
  return static_cast<size_t>(std::max<int64_t>(0, options_.places - load_.active));
}

// With the lock held.
bool LiveGenerator::has_work() const {
  return is_ending_ || !questions_.empty() || !jobs_.empty() || load_.active > 0;
}

// The worker. Only it touches the decoder, so that nothing of the engine needs a lock.
void LiveGenerator::serve() {
  std::unique_lock lock(mutex_);
  while (!is_ending_) {
    run_jobs(lock);
    const std::vector<std::shared_ptr<Question>> taken = take_questions();
    lock.unlock();
    decode(taken);
    lock.lock();
    asked_.wait(lock, [&] { return has_work(); });
  }
  run_jobs(lock);
  for (const auto& question : questions_) in_batch_.emplace(next_source_++, question);
  lock.unlock();
  fail_all(std::make_exception_ptr(Error(ExitCode::kInterrupted, "the program ends")));
}

// Those that wait now: others that come meanwhile have to wait until every answer has grown.
void LiveGenerator::run_jobs(std::unique_lock<std::mutex>& lock) {
  for (size_t left = jobs_.size(); left > 0; --left) {
    Job* job = jobs_.front();
    jobs_.pop_front();
    lock.unlock();
    try {
      (*job->work)(generator_);
    } catch (...) {
      job->error = std::current_exception();
    }
    lock.lock();
    job->is_done = true;
    job_done_.notify_all();
  }
}

// Those that have a place now. With the lock held.
std::vector<std::shared_ptr<LiveGenerator::Question>> LiveGenerator::take_questions() {
  std::vector<std::shared_ptr<Question>> taken;
  while (!questions_.empty() && free_places() > 0) {
    std::shared_ptr<Question> question = std::move(questions_.front());
    questions_.pop_front();
    if (question->answer->is_cancelled()) continue;
    ++load_.active;
    taken.push_back(std::move(question));
  }
  return taken;
}

void LiveGenerator::begin_batch() {
  decoder_ = generator_.engine().start_empty(routes_, options_.places);
  search_ = std::make_unique<ContinuousSearch>(*decoder_);
  next_source_ = 0;
}

// Questions join, those that nobody wants leave, and every answer grows by a token. What fails ends
// all that shared the batch, and the next question begins another.
void LiveGenerator::decode(const std::vector<std::shared_ptr<Question>>& taken) {
  cancel_unwanted();
  try {
    if (!decoder_) begin_batch();
    for (const auto& question : taken) {
      if (!question->prompt.route.head) in_batch_.emplace(next_source_++, question);
    }
    for (const auto& question : taken) {
      if (question->prompt.route.head) {
        answer_at_once(*question);
      } else {
        start(question);
      }
    }
    if (!in_batch_.empty()) search_->step();
  } catch (...) {
    fail_all(std::current_exception());
    search_.reset();
    decoder_.reset();
  }
}

void LiveGenerator::start(const std::shared_ptr<Question>& question) {
  decoder_->add_source(question->source.ids, &question->prompt.route);
  // Both keep the question, whose route the decoder reads, for as long as it is searched.
  search_->add(
      question->search, question->draw,
      [this, question](int64_t source, const Hypothesis& hypothesis) { end(source, hypothesis); },
      [this, question](int64_t, const ChosenToken& token) { return extend(*question, token); });
}

// One that the decoder has no part in.
void LiveGenerator::answer_at_once(const Question& question) {
  std::exception_ptr error;
  Answer answer;
  try {
    answer = generator_.generate({question.prompt}, *question.search).at(0);
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    --load_.active;
    load_.answers += error ? 0 : 1;
    load_.tokens += answer.target_tokens;
  }
  if (error) {
    question.answer->fail(error);
  } else {
    question.answer->end(std::move(answer));
  }
}

bool LiveGenerator::extend(Question& question, const ChosenToken& token) {
  question.ids.push_back(token.id);
  question.answer->grow(generator_.tokenizer().decode(question.ids), token);
  return true;
}

void LiveGenerator::end(int64_t source, const Hypothesis& hypothesis) {
  const std::shared_ptr<Question> question = in_batch_.at(source);
  const Answer answer = generator_.make_answer(hypothesis, question->source);
  leave_batch(source);
  {
    const std::lock_guard lock(mutex_);
    ++load_.answers;
    load_.tokens += answer.target_tokens;
  }
  question->answer->end(answer);
}

void LiveGenerator::leave_batch(int64_t source) {
  in_batch_.erase(source);
  const std::lock_guard lock(mutex_);
  --load_.active;
}

void LiveGenerator::cancel_unwanted() {
  std::vector<int64_t> unwanted;
  for (const auto& [source, question] : in_batch_) {
    if (question->answer->is_cancelled()) unwanted.push_back(source);
  }
  for (const int64_t source : unwanted) {
    search_->cancel(source);
    leave_batch(source);
  }
}

void LiveGenerator::fail_all(const std::exception_ptr& error) {
  for (const auto& [source, question] : in_batch_) question->answer->fail(error);
  in_batch_.clear();
  const std::lock_guard lock(mutex_);
  load_.active = 0;
}

}  // namespace trivium
