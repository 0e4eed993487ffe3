// One pass over a row of logits: its best tokens and its log-sum-exp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace trivium {

struct Candidate {
  float logit = 0;
  int32_t token = 0;
};

// Higher logits first; of equal ones the lower token, as torch's argmax.
inline bool is_better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

// The part of a row's log-sum-exp that some of its logits have.
struct LogitSum {
  float max = -std::numeric_limits<float>::infinity();
  double sum = 0;  // of exp(logit - max)

  void add(const LogitSum& other);
};

// Logits are summed in pieces of so many, so that a row that is added in such pieces has the very
// sum of one that is read whole. 2 KB stay in the first-level cache between uses.
constexpr size_t kScanPiece = 512;

class LogitScan {
 public:
  // Keeps the `count` best tokens of a row; 0 where only log-probabilities are asked.
  explicit LogitScan(int count = 0) : count_(static_cast<size_t>(count)) {}

  // Reads `logits` [vocab_size]. The tokens of `banned` (sorted) and those at minus infinity are
  // not candidates, but a banned one keeps its part of the probability: transformers bans tokens
  // after log_softmax. Error kBadModel when no logit is finite or one is NaN or plus infinity.
  void read(std::span<const float> logits, std::span<const int32_t> banned = {});

  // read() in pieces, for a row whose logits never lie side by side: begin(), then add() of pieces
  // in any order, into several scans of the same count where several threads do it, merge() of
  // those into one, and finish() (which throws what read() throws) with the sums that add()
  // returned, in the order of the pieces: so the result does not depend on who added which.
  // `first_token` is the piece's first. begin() makes room for `count` tokens, so that add() and
  // merge() allocate nothing.
  void begin(int count);
  LogitSum add(std::span<const float> logits, int32_t first_token, std::span<const int32_t> banned);
  void merge(const LogitScan& other);
  void finish(std::span<const LogitSum> sums);

  // What a device has read already: the best tokens, best first, the largest logit and the sum of
  // exp(logit - max). Throws what read() throws.
  void assign(std::span<const Candidate> best, float max, double sum);

  // Best first; fewer than `count` where the row has no more.
  std::span<const Candidate> best() const { return best_; }

  // Of a token with this logit in the row last read. In torch's order of operations, for equal
  // rounding.
  float log_probability(float logit) const { return (logit - sum_.max) - log_sum_; }

 private:
  void add_candidates(std::span<const float> block, int32_t first_token,
                      std::span<const int32_t> banned);
  void add_candidate(const Candidate& candidate);

  size_t count_;
  std::vector<Candidate> best_;  // while reading a heap, the worst in front
  LogitSum sum_;
  float log_sum_ = 0;
};

}  // namespace trivium
