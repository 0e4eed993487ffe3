#include "learning/processes/processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "learning/processes/gradient_sum.h"
#include "learning/processes/together.h"

namespace trivium::learning {
namespace {

TEST(ProcessesTest, AloneNothingIsSent) {
  const Processes alone;
  EXPECT_EQ(alone.size(), 1);
  EXPECT_TRUE(alone.is_first());
  torch::Tensor numbers = torch::ones({2});
  alone.sum(numbers);
  alone.share(numbers, 0);
  alone.send_to_first(numbers, 0);
  EXPECT_TRUE(torch::equal(numbers, torch::ones({2})));
  EXPECT_TRUE(alone.any(true));
  EXPECT_FALSE(alone.any(false));
  EXPECT_EQ(alone.gather("a"), std::vector<std::string>({"a"}));
  EXPECT_EQ(alone.share("a"), "a");
}

TEST(ProcessesTest, ExchangesRows) {
  for (const int size : {2, 3}) {
    for (const auto type : {torch::kFloat32, torch::kBFloat16, torch::kInt64}) {
      together(size, [&](const Processes& all) {
        const Processes processes = all.branch("rows");
        const int64_t rank = processes.rank();
        // Process r sends r rows of 10 r + p to process p, so that the first sends nothing.
        const std::vector<int64_t> sent(static_cast<size_t>(size), rank);
        std::vector<int64_t> received;
        std::vector<torch::Tensor> rows = {torch::empty({0, 3}, type)}, expected = rows;
        for (int64_t other = 0; other < size; ++other) {
          received.push_back(other);
          rows.push_back(torch::full({rank, 3}, 10 * rank + other, type));
          expected.push_back(torch::full({other, 3}, 10 * other + rank, type));
        }
        const torch::Tensor result = processes.exchange(torch::cat(rows), sent, received);
        EXPECT_TRUE(torch::equal(result, torch::cat(expected))) << type;
        torch::Tensor numbers = torch::tensor({rank, -rank});
        processes.largest(numbers);
        EXPECT_EQ(numbers[0].item<int64_t>(), size - 1);
        EXPECT_EQ(numbers[1].item<int64_t>(), 0);
      });
    }
  }
}

TEST(ProcessesTest, GathersAndSharesTexts) {
  for (const int size : {2, 3}) {
    together(size, [&](const Processes& processes) {
      // The second has nothing to say; the first's is longer than a packet, and has a zero in it.
      const std::string text =
          processes.rank() == 1 ? "" : std::string(100000, 'a').append(1, '\0').append("b");
      const std::vector<std::string> all = processes.gather(text);
      if (processes.is_first()) {
        ASSERT_EQ(all.size(), static_cast<size_t>(size));
        for (int rank = 0; rank < size; ++rank) {
          EXPECT_EQ(all[static_cast<size_t>(rank)].size(), rank == 1 ? 0u : 100002u);
        }
        EXPECT_EQ(all[0], text);
      } else {
        EXPECT_TRUE(all.empty());
      }
      EXPECT_EQ(processes.share(processes.is_first() ? "of \n the first" : "of another"),
                "of \n the first");
      EXPECT_EQ(processes.share(std::string()), "");
    });
  }
}

TEST(ProcessesTest, SumsSharesAndSends) {
  for (const int size : {2, 3}) {
    together(size, [&](const Processes& processes) {
      const int rank = processes.rank();
      torch::Tensor floats = torch::full({1000}, rank + 0.5f);
      torch::Tensor doubles = torch::full({3}, rank * 1e-12, torch::kFloat64);
      processes.sum(floats);
      processes.sum(doubles);
      const int ranks = size * (size - 1) / 2;
      EXPECT_EQ(floats[999].item<float>(), static_cast<float>(ranks) + 0.5f * size);
      EXPECT_DOUBLE_EQ(doubles[0].item<double>(), ranks * 1e-12);
      EXPECT_TRUE(processes.any(rank == size - 1));
      EXPECT_FALSE(processes.any(false));
      torch::Tensor shared = torch::full({2}, static_cast<float>(rank));
      processes.share(shared, size - 1);
      EXPECT_EQ(shared[0].item<float>(), size - 1);
      torch::Tensor sent = torch::full({2}, static_cast<float>(rank));
      processes.send_to_first(sent, size - 1);
      EXPECT_EQ(sent[1].item<float>(), rank == 0 ? size - 1 : rank);
    });
  }
}

// Parameters of several buckets; the first process does not use the third, and nobody the fourth.
struct Weights {
  std::vector<torch::Tensor> all;
  Weights() {
    torch::manual_seed(1);
    for (int i = 0; i < 4; ++i) all.push_back(torch::randn({5, 3}, torch::requires_grad()));
  }
  torch::Tensor loss(int part) const {
    const torch::Tensor input = torch::full({3}, part + 1.0f);
    torch::Tensor loss = torch::tanh(torch::mv(all[0], input)).sum() * all[1].square().sum();
    return part == 0 ? loss : loss + torch::mv(all[2], input).sum();
  }
};

TEST(ProcessesTest, GradientsAreTheSumsOfAll) {
  Weights whole;
  for (const int part : {0, 1, 2, 3}) whole.loss(part).backward();
  for (const int64_t bytes : {1, 100, 1 << 20}) {
    together(2, [&](const Processes& processes) {
      Weights own;
      GradientSum sum(processes, own.all, bytes);
      for (int step = 0; step < 2; ++step) {
        for (torch::Tensor& weight : own.all) weight.mutable_grad().reset();
        own.loss(processes.rank()).backward();  // a batch before the last is not sent by itself
        sum.begin();
        own.loss(processes.rank() + 2).backward();
        sum.finish();
        for (size_t i = 0; i < 3; ++i) {
          EXPECT_LT((own.all[i].grad() - whole.all[i].grad()).abs().max().item<float>(), 1e-5)
              << i << " " << bytes;
        }
        EXPECT_FALSE(own.all[3].grad().defined());
      }
    });
  }
}

TEST(ProcessesTest, AProcessThatEndsIsNoticed) {
  together(2, [&](const Processes& processes) {
    if (processes.rank() == 1) return;
    torch::Tensor numbers = torch::ones({2});
    try {
      for (int i = 0; i < 1000; ++i) processes.sum(numbers);
      ADD_FAILURE() << "nobody noticed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUnavailable);
      EXPECT_THAT(error.what(), testing::HasSubstr("another process"));
    }
  });
}

}  // namespace
}  // namespace trivium::learning
