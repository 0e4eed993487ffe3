#include "research/studies/report_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::research {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ReportDocument, SaysTheSameInMarkdownAndHtml) {
  ReportDocument report("A <title>");
  report.heading("One & two");
  report.paragraph("Some text.");
  report.list({"first", "second"});
  report.code("trivium <x>");
  report.table({{"method", "score"}, {false, true}, {{"a|b", "0.5"}}});
  report.figure("bars.svg", "Bars", "<svg><rect/></svg>");
  const std::string markdown = report.to_markdown(), html = report.to_html();
  EXPECT_THAT(markdown, HasSubstr("# A <title>\n"));
  EXPECT_THAT(markdown, HasSubstr("## One & two\n"));
  EXPECT_THAT(markdown, HasSubstr("- first\n- second\n"));
  EXPECT_THAT(markdown, HasSubstr("```\ntrivium <x>\n```"));
  EXPECT_THAT(markdown, HasSubstr("a\\|b"));
  EXPECT_THAT(markdown, HasSubstr("![Bars](bars.svg)"));
  EXPECT_THAT(html, HasSubstr("<h1>A &lt;title&gt;</h1>"));
  EXPECT_THAT(html, HasSubstr("<h2>One &amp; two</h2>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">0.5</td>"));
  EXPECT_THAT(html, HasSubstr("<svg><rect/></svg>"));
  EXPECT_THAT(html, Not(HasSubstr("trivium <x>")));
}

TEST(ReportDocument, WritesItsFigures) {
  TemporaryFolder folder;
  ReportDocument report("t");
  report.figure("bars.svg", "Bars", "<svg/>");
  report.write(folder.path() / "out", "report");
  EXPECT_EQ(read_file(folder.path() / "out" / "bars.svg"), "<svg/>");
  EXPECT_EQ(read_file(folder.path() / "out" / "report.md"), report.to_markdown());
  EXPECT_EQ(read_file(folder.path() / "out" / "report.html"), report.to_html());
}

TEST(ShellWord, IsReadBackByAShellAsItWas) {
  EXPECT_EQ(shell_word("train.steps=350"), "train.steps=350");
  for (const std::string word :
       {"", "a=[\"T1\", \"T6\"]", "it's", "a b", "$HOME `x` \\ *", "'", "x=1;ls", "a\nb"}) {
    FILE* shell = popen(("printf %s " + shell_word(word)).c_str(), "r");
    ASSERT_NE(shell, nullptr);
    std::string read;
    for (int c = fgetc(shell); c != EOF; c = fgetc(shell)) read += static_cast<char>(c);
    EXPECT_EQ(pclose(shell), 0);
    EXPECT_EQ(read, word);
  }
}

}  // namespace
}  // namespace trivium::research
