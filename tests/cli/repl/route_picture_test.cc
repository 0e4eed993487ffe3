#include "cli/repl/route_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/temporary_folder.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Encoder layer 1 is ordinary; layer 2 is soft, layer 4 undecided, the others take one expert.
TaskRoute example() {
  return {{{1}, {0.92f, 0.08f, 0}, {0, 1, 0}, {0.3f, 0.3f, 0.4f}, {0, 0, 1}, {1, 0, 0}},
          {{0.55f, 0.45f, 0}, {0, 0.004f, 0.996f}}};
}

TerminalStyle style(size_t width, bool utf8 = true) {
  return {.width = width, .utf8 = utf8, .colour = false};
}

void expect_fits(const std::string& text, size_t width) {
  for (const std::string& line : split(text, '\n')) EXPECT_LE(display_width(line), width) << line;
}

TEST(RoutePictureTest, StandsSideBySideWhereThereIsRoom) {
  const std::string picture =
      "         encoder ──────────────────────   decoder ──\n"
      "layer      1    2    3    4    5    6       1    2\n"
      "expert 1   │   ███   ·   ▒▒▒   ·   ███     ▓▓▓   ·\n"
      "expert 2   │   ░░░  ███  ▒▒▒   ·    ·      ▒▒▒   ·\n"
      "expert 3   │    ·    ·   ▒▒▒  ███   ·       ·   ███\n"
      "weight         92% 100%  40% 100% 100%     55% 100%\n";
  EXPECT_EQ(route_picture(example(), {}, style(80)), picture);
  EXPECT_EQ(route_picture(example(), {}, style(200)), picture);
}

TEST(RoutePictureTest, StandsOneBelowTheOtherAtForty) {
  EXPECT_EQ(route_picture(example(), {}, style(40, false)),
            "         encoder ----------------------\n"
            "layer      1    2    3    4    5    6\n"
            "expert 1   |   ###   .   +++   .   ###\n"
            "expert 2   |   ---  ###  +++   .    .\n"
            "expert 3   |    .    .   +++  ###   .\n"
            "weight         92% 100%  40% 100% 100%\n"
            "         decoder --\n"
            "layer      1    2\n"
            "expert 1  %%%   .\n"
            "expert 2  +++   .\n"
            "expert 3   .   ###\n"
            "weight    55% 100%\n");
}

TEST(RoutePictureTest, BreaksAStackThatIsTooDeepAndLeavesOutIdleExperts) {
  TaskRoute deep;
  for (size_t l = 0; l < 12; ++l) {
    deep.encoder.emplace_back(16, 0.0f)[l % 2] = 1;
    deep.decoder.emplace_back(16, 0.0f)[11] = 1;
  }
  for (size_t width : {40, 80, 200}) {
    const std::string picture = route_picture(deep, {}, style(width));
    expect_fits(picture, width);
    EXPECT_THAT(picture, HasSubstr("expert 12"));
    EXPECT_THAT(picture, Not(HasSubstr("expert 3 ")));
  }
  const std::string narrow = route_picture(deep, {}, style(40));
  const auto headings = [](const std::string& text) {
    size_t count = 0;
    for (const std::string& line : split(text, '\n')) count += line.starts_with("layer");
    return count;
  };
  EXPECT_EQ(headings(narrow), 4u);
  EXPECT_EQ(headings(route_picture(deep, {}, style(200))), 1u);
}

TEST(RoutePictureTest, MarksPinnedLayers) {
  const std::vector<Pin> pins = {{{false, 4}, 1}, {{true, 0}, 2}};
  const TaskRoute route = pinned_route(example(), pins);
  EXPECT_EQ(route.encoder[4], (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(route.decoder[0], (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(route.encoder[1], example().encoder[1]);
  EXPECT_THAT(route_picture(route, pins, style(80)),
              HasSubstr("\npinned                         ▲            ▲\n"));
}

TEST(RoutePictureTest, ColoursOnlyWhenAsked) {
  TerminalStyle coloured = style(80);
  coloured.colour = true;
  std::string picture = route_picture(example(), {}, coloured);
  EXPECT_THAT(picture, HasSubstr("\x1b["));
  for (size_t begin; (begin = picture.find('\x1b')) != std::string::npos;) {
    picture.erase(begin, picture.find('m', begin) + 1 - begin);
  }
  EXPECT_EQ(picture, route_picture(example(), {}, style(80)));
}

TEST(RoutePictureTest, LegendNamesOnlyTheSignsThatOccur) {
  EXPECT_EQ(
      route_legend({{{1, 0}}, {{0, 1}}}, style(200)),
      "prompt → encoder → decoder → answer; in each layer the task takes ███ and leaves ·.\n");
  TaskRoute with_head{{{1, 0}}, {{0, 1}}};
  with_head.head = std::make_shared<const LabelHead>();
  EXPECT_EQ(route_legend(with_head, style(200)),
            "prompt → encoder → head → answer; in each layer the task takes ███ and leaves ·; the "
            "decoder has no part in the answer.\n");
  EXPECT_THAT(route_in_words(with_head, style(200)), HasSubstr("\nhead: answers by the text's"));
  const std::string all = route_legend(example(), style(40, false));
  EXPECT_THAT(all, HasSubstr("%%%"));
  EXPECT_THAT(all, HasSubstr("| is a layer"));
  expect_fits(all, 40);
}

TEST(RoutePictureTest, SaysEveryWeightInWords) {
  EXPECT_EQ(route_in_words({{{1}, {0.92f, 0.08f}}, {{0.25f, 0.75f}}}, style(200)),
            "encoder: layer 2 takes expert 1 (0.92), 2 (0.08); without a choice: 1.\n"
            "decoder: layer 1 takes expert 2 (0.75), 1 (0.25).\n");
  expect_fits(route_in_words(example(), style(40)), 40);
}

TEST(RoutePictureTest, ComparesTwoTasks) {
  const TaskRoute a = {{{1}, {1, 0}, {0, 1}}, {{0, 1}}};
  const TaskRoute b = {{{1}, {0, 1}, {0, 1}}, {{1, 0}}};
  EXPECT_EQ(route_comparison("sst2", a, "mnli", b, style(80)),
            "         encoder ───────   decoder\n"
            "layer      1    2    3       1\n"
            "sst2\n"
            "expert 1   │   ███   ·       ·\n"
            "expert 2   │    ·   ███     ███\n"
            "weight        100% 100%    100%\n"
            "mnli\n"
            "expert 1   │    ·    ·      ███\n"
            "expert 2   │   ███  ███      ·\n"
            "weight        100% 100%    100%\n"
            "differ          ▲            ▲\n"
            "They take different experts in 2 of 3 layers: encoder 2, decoder 1.\n");
  EXPECT_THAT(route_comparison("a", a, "b", a, style(80)),
              HasSubstr("They take the same expert in all 3 layers"));
  EXPECT_EQ(differing_layers(a, b), (std::vector<LayerPlace>{{false, 1}, {true, 0}}));
}

// A task that was added has an expert of its own where others have a pool, or an ordinary layer.
TaskRoute added_route() {
  TaskRoute route{{{0, 1}, {0, 0, 0, 1}}, {{0, 1, 0}, {1}}};
  route.own = std::make_shared<const OwnExperts>(OwnExperts{{}, {true, true}, {false, false}});
  return route;
}

TEST(RoutePictureTest, PoolsThatGrewHaveOneRowMoreWhereTheyGrew) {
  EXPECT_EQ(route_picture(added_route(), {}, style(80)),
            "         encoder ──   decoder ──\n"
            "layer      1    2       1    2\n"
            "expert 1   ·    ·       ·    │\n"
            "expert 2  ███   ·      ███   │\n"
            "expert 3        ·       ·    │\n"
            "expert 4       ███           │\n"
            "weight   100% 100%    100%\n");
}

TEST(RoutePictureTest, TheOwnExpertsOfTwoTasksAreDifferentOnes) {
  const TaskRoute a = added_route(), b = added_route();
  EXPECT_EQ(differing_layers(a, a).size(), 0u);
  EXPECT_EQ(differing_layers(a, b), (std::vector<LayerPlace>{{false, 0}, {false, 1}}));
}

// The last expert of a shared pool is nobody's own.
TEST(RoutePictureTest, SharedExpertsOfTwoAddedTasksAreTheSame) {
  TaskRoute a = added_route(), b = added_route();
  a.decoder[0] = b.decoder[0] = {0, 0, 1};
  EXPECT_EQ(differing_layers(a, b), (std::vector<LayerPlace>{{false, 0}, {false, 1}}));
  EXPECT_THAT(
      route_comparison("a", {{{1}, {1, 0}}, {{1}}}, "b", {{{0, 1}, {0, 1}}, {{1}}}, style(80)),
      HasSubstr("They take different experts in 2 of 2 layers"));
}

TEST(RoutePictureTest, APinThatTheTaskHasNoExpertForIsNamed) {
  const TaskRoute shared{{{1}, {0, 0, 1}}, {{0, 1, 0}, {1}}};
  const std::vector<Pin> pins = {{{false, 1}, 3}};
  EXPECT_EQ(pinned_route(added_route(), pins).encoder[1], (std::vector<float>{0, 0, 0, 1}));
  EXPECT_THAT(error_of([&] { pinned_route(shared, pins); }),
              HasSubstr("encoder 2 has no expert 4 for this task"));
}

}  // namespace
}  // namespace trivium::cli
