// The event file and the writer thread.
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "mgmt/events/eve_file.h"
#include "mgmt/events/hub_event.h"
#include "mgmt/events/log.h"
#include "mgmt/events/writer.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using events::EveFile;

class EventsTest : public ::testing::Test {
 protected:
  EventsTest() : log_("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_)) {
    char folder[] = "/tmp/weir-events-XXXXXX";
    folder_ = mkdtemp(folder);
    log_.set_pattern("%l %v");
    log_.set_level(spdlog::level::trace);
  }
  ~EventsTest() override { std::filesystem::remove_all(folder_); }
  static std::vector<std::string> lines(const std::string& path) {
    std::ifstream in(path);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::string folder_;
  std::ostringstream log_text_;
  spdlog::logger log_;
};

TEST_F(EventsTest, FileIsAppendedToAndItsFolderMade) {
  const std::string path = folder_ + "/a/b/eve.json";
  for (const char* line : {"one", "two"}) {
    auto file = EveFile::open(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->append(line));
    ASSERT_TRUE(file->flush());
  }
  EXPECT_EQ(lines(path), (std::vector<std::string>{"one", "two"}));
}

TEST_F(EventsTest, ReopenFollowsARotation) {
  const std::string path = folder_ + "/eve.json";
  auto file = EveFile::open(path);
  ASSERT_TRUE(file->append("before"));
  std::filesystem::rename(path, path + ".1");
  ASSERT_TRUE(file->reopen());
  ASSERT_TRUE(file->append("after"));
  ASSERT_TRUE(file->flush());
  EXPECT_EQ(lines(path + ".1"), std::vector<std::string>{"before"});
  EXPECT_EQ(lines(path), std::vector<std::string>{"after"});
}

TEST_F(EventsTest, WhatCannotBeOpenedIsASentence) {
  std::ofstream(folder_ + "/file") << "x";
  const auto file = EveFile::open(folder_ + "/file/eve.json");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find(folder_), std::string::npos);
}

TEST_F(EventsTest, WriterWritesWithin100MillisAndAllAtTheEnd) {
  const std::string path = folder_ + "/eve.json";
  std::mutex mutex;
  size_t waiting = 1;
  const auto take = [&](std::span<inspection::Event> out) {
    const std::lock_guard lock(mutex);
    const size_t n = std::min(waiting, out.size());
    for (size_t i = 0; i < n; ++i) out[i] = inspection::Event{};
    waiting -= n;
    return n;
  };
  {
    events::Writer writer(
        take, std::move(*EveFile::open(path)), [] { return uint64_t{0}; }, log_, [] {});
    const auto deadline = std::chrono::steady_clock::now() + 5s;  // generous: the machine may be busy
    while (lines(path).empty() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(5ms);
    EXPECT_EQ(lines(path).size(), 1u);
    const std::lock_guard lock(mutex);
    waiting = 1'000;
  }
  EXPECT_EQ(lines(path).size(), 1'001u);
  EXPECT_EQ(lines(path).front().front(), '{');
}

TEST_F(EventsTest, WriteErrorIsCountedAndLoggedOnce) {
  size_t left = 50'000;
  const auto take = [&](std::span<inspection::Event> out) {
    const size_t n = std::min(left, out.size());
    for (size_t i = 0; i < n; ++i) out[i] = inspection::Event{};
    left -= n;
    return n;
  };
  auto full = EveFile::open("/dev/full");
  ASSERT_TRUE(full);
  {
    events::Writer writer(
        take, std::move(*full), [] { return uint64_t{0}; }, log_, [] {});
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (writer.write_errors() < 2 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(5ms);
    EXPECT_GE(writer.write_errors(), 2u);
  }
  const std::string text = log_text_.str();
  EXPECT_NE(text.find("/dev/full"), std::string::npos);
  EXPECT_EQ(text.find("error events"), text.rfind("error events"));
}

TEST_F(EventsTest, EalLinesComeInAtOurLevels) {
  events::log_eal_line(log_, 4, "broken\n");
  events::log_eal_line(log_, 5, "odd\n");
  events::log_eal_line(log_, 7, "routine\n");
  events::log_eal_line(log_, 8, "detail\n");
  events::log_eal_line(log_, 4, "\n");
  EXPECT_EQ(log_text_.str(),
            "error dpdk: broken\nwarning dpdk: odd\ndebug dpdk: routine\ntrace dpdk: detail\n");
}

TEST(HubEvents, ALineOfEve) {
  events::AttachmentEvent event{1'000'000'000, "cloud-a", "prod", "down", "up", "probe \xff not answered"};
  const auto json = nlohmann::json::parse(events::to_eve_json(event, 0));
  EXPECT_EQ(json["timestamp"], "1970-01-01T00:00:01.000000+0000");
  EXPECT_EQ(json["event_type"], "attachment");
  EXPECT_EQ(json["attachment"]["name"], "cloud-a");
  EXPECT_EQ(json["attachment"]["domain"], "prod");
  EXPECT_EQ(json["attachment"]["state"], "down");
  EXPECT_EQ(json["attachment"]["was"], "up");
}

TEST(HubEvents, KeepsOrderAndCountsWhatItHasNoRoomFor) {
  events::HubEvents queue;
  for (size_t i = 0; i < events::HubEvents::kCapacity + 3; ++i) queue.put({i, "a", "", "", "", ""});
  EXPECT_EQ(queue.lost(), 3u);
  const auto first = queue.take(2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].time_ns, 1u);
  EXPECT_EQ(queue.take(1'000'000).size(), events::HubEvents::kCapacity - 2);
  EXPECT_TRUE(queue.take(1).empty());
}

}  // namespace
}  // namespace weir::test
