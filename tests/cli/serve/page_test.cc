#include "cli/serve/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <thread>

#include "cli/serve/server.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A server that asks for a key.
class PageTest : public ::testing::Test {
 protected:
  PageTest() {
    save_checkpoint(tiny_checkpoint(), folder_.path() / "tiny");
    ServerOptions options;
    options.port = 0;
    options.api_key = "secret";
    service_ = std::make_unique<Service>(LoadedModel(folder_.path() / "tiny", EngineOptions{}),
                                         LiveOptions{});
    server_ = std::make_unique<Server>(*service_, options);
    port_ = server_->bind();
    thread_ = std::thread([this] { server_->run(stop_); });
  }
  ~PageTest() override {
    stop_ = true;
    thread_.join();
  }

  httplib::Result get(const std::string& path, const httplib::Headers& headers = {}) const {
    return httplib::Client("127.0.0.1", port_).Get(path, headers);
  }
  // The page and whatever it, or what it takes, names of this server's.
  std::set<std::string> files() const {
    std::set<std::string> found = {"/"};
    std::vector<std::string> waiting = {"/"};
    while (!waiting.empty()) {
      const std::string text = get(waiting.back())->body;
      waiting.pop_back();
      const std::regex name("[\"'](/page/[^\"']*)[\"']");
      for (std::sregex_iterator one(text.begin(), text.end(), name), end; one != end; ++one) {
        if (found.insert((*one)[1]).second) waiting.push_back((*one)[1]);
      }
    }
    return found;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(PageTest, IsServedWithoutAKeyAndTakesNothingFromElsewhere) {
  const auto page = get("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->body, StartsWith("<!DOCTYPE html>"));
  EXPECT_EQ(get("/v1/models")->status, 401);
  EXPECT_GT(files().size(), 5u);
  for (const std::string& path : files()) {
    const auto file = get(path);
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(file->status, 200) << path;
    EXPECT_TRUE(is_page_path(path)) << path;
    EXPECT_THAT(file->get_header_value("Content-Type"), HasSubstr("; charset=utf-8")) << path;
    const std::string text =
        std::regex_replace(file->body, std::regex("http://www.w3.org/2000/svg"), "");
    EXPECT_EQ(text.find("http://"), std::string::npos) << path;
    EXPECT_EQ(text.find("https://"), std::string::npos) << path;
    EXPECT_EQ(text.find("innerHTML"), std::string::npos) << path;
  }
  EXPECT_EQ(get("/page/other.js", {{"Authorization", "Bearer secret"}})->status, 404);
  EXPECT_FALSE(is_page_path("/page/"));
  EXPECT_FALSE(is_page_path("/v1/models"));
}

TEST_F(PageTest, ItsHeadersKeepItToItself) {
  for (const std::string& path : files()) {
    const auto file = get(path);
    EXPECT_THAT(file->get_header_value("Content-Security-Policy"),
                AllOf(StartsWith("default-src 'none'; style-src 'self'; script-src 'self';"),
                      HasSubstr("connect-src 'self'"), HasSubstr("base-uri 'none'"),
                      HasSubstr("form-action 'none'"), HasSubstr("frame-ancestors 'none'")))
        << path;
    EXPECT_EQ(file->get_header_value("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(file->get_header_value("Referrer-Policy"), "no-referrer");
    EXPECT_EQ(file->get_header_value("Cache-Control"), "no-cache");
  }
}

TEST_F(PageTest, IsNotShownUnderAnotherName) {
  EXPECT_EQ(get("/", {{"Host", "example.org"}})->status, 403);
  EXPECT_EQ(get("/page/page.js", {{"Host", "example.org"}})->status, 403);
}

}  // namespace
}  // namespace trivium::cli
