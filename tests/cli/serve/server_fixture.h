// A server of the tiny checkpoint, and what asks it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/serve/server.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {

// Every test's server has a port of its own.
class ServerTest : public ::testing::Test {
 protected:
  static constexpr const char* kJson = "application/json";

  ServerTest() { save_checkpoint(tiny_checkpoint(), folder_); }
  ~ServerTest() override { stop(); }

  void start(ServerOptions options = {}, const LiveOptions& live = {}) {
    options.port = 0;
    service_ = std::make_unique<Service>(LoadedModel(folder_, EngineOptions{}), live);
    server_ = std::make_unique<Server>(*service_, options);
    port_ = server_->bind();
    thread_ = std::thread([this] { server_->run(stop_); });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(60);
    return client;
  }
  httplib::Result post(const std::string& path, const Json& body) const {
    return client().Post(path, body.dump(), kJson);
  }
  Json get(const std::string& path) const {
    const auto result = client().Get(path);
    EXPECT_TRUE(result) << path;
    EXPECT_EQ(result->status, 200) << path;
    return Json::parse(result->body);
  }
  Json complete(const Json& request) const { return ask("/v1/completions", request); }
  // Of a stream: its events, without the last, which says that it was the last.
  std::vector<Json> stream(Json request) const {
    request["stream"] = true;
    const auto result = post("/v1/completions", request);
    EXPECT_TRUE(result);
    EXPECT_EQ(result->get_header_value("Content-Type"), "text/event-stream");
    std::vector<Json> events;
    std::string rest = result->body;
    while (!rest.empty()) {
      const size_t end = rest.find("\n\n");
      EXPECT_NE(end, std::string::npos) << rest;
      EXPECT_TRUE(rest.starts_with("data: ")) << rest;
      const std::string data = rest.substr(6, end - 6);
      rest.erase(0, end + 2);
      EXPECT_EQ(data == "[DONE]", rest.empty());
      if (data != "[DONE]") events.push_back(Json::parse(data));
    }
    return events;
  }
  Json ask(const std::string& path, const Json& request) const {
    const auto result = post(path, request);
    if (!result) throw std::runtime_error(path + ": " + httplib::to_string(result.error()));
    EXPECT_EQ(result->status, 200) << result->body;
    return Json::parse(result->body);
  }
  static void expect_error(const httplib::Result& result, int status, const std::string& problem) {
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, status) << result->body;
    EXPECT_EQ(result->get_header_value("Content-Type"), kJson);
    const Json error = Json::parse(result->body).at("error");
    EXPECT_THAT(error.at("message").get<std::string>(), testing::HasSubstr(problem));
    EXPECT_TRUE(error.at("type").is_string());
  }

  TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path() / "tiny";
  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace trivium::cli
