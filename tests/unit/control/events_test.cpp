// The event file and the writer thread.
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <stdlib.h>

#include <atomic>
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
#include "mgmt/events/recent_alerts.h"
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
  const auto take = [&](size_t max, const inspection::TakeEvent& to) {
    const std::lock_guard lock(mutex);
    const size_t n = std::min(waiting, max);
    for (size_t i = 0; i < n; ++i) to({}, {});
    waiting -= n;
    return n;
  };
  {
    events::Writer writer({take, std::move(*EveFile::open(path)), [] { return uint64_t{0}; }, log_});
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

TEST_F(EventsTest, AlertsAreKeptWithoutAFileToo) {
  size_t left = 3;
  const auto take = [&](size_t max, const inspection::TakeEvent& to) {
    const size_t n = std::min(left, max);
    for (size_t i = 0; i < n; ++i) {
      inspection::Event event;
      event.kind = i == 1 ? inspection::EventKind::flow : inspection::EventKind::alert;
      to(event, {});
    }
    left -= n;
    return n;
  };
  events::RecentAlerts alerts;
  {
    events::WriterParts parts{take, std::nullopt, [] { return uint64_t{0}; }, log_};
    parts.alerts = &alerts;
    events::Writer writer(std::move(parts));
  }
  const auto view = alerts.latest(10);
  ASSERT_EQ(view.lines.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(view.lines[0])["event_type"], "alert");
}

TEST_F(EventsTest, StatsComeAtTheirInterval) {
  const std::string path = folder_ + "/eve.json";
  std::atomic<uint64_t> now{5};
  std::atomic<uint64_t> looks{0};
  {
    events::WriterParts parts{[&](size_t, const inspection::TakeEvent&) { return ++looks, size_t{0}; },
                              std::move(*EveFile::open(path)), [&] { return now.load(); }, log_};
    parts.stats_interval_ns = 100;
    parts.stats = [](uint64_t at, int64_t) { return "at " + std::to_string(at); };
    events::Writer writer(std::move(parts));
    const auto a_look = [&] {
      const uint64_t before = looks;
      const auto deadline = std::chrono::steady_clock::now() + 10s;
      while (looks < before + 2 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(1ms);
    };
    for (const uint64_t at : {104, 105, 106, 204, 900}) {
      now = at;
      a_look();
    }
  }
  EXPECT_EQ(lines(path), (std::vector<std::string>{"at 105", "at 900"}));
}

TEST(RecentAlerts, WhoLooksTooSeldomIsToldWhatItHasLost) {
  events::RecentAlerts alerts;
  EXPECT_TRUE(alerts.latest(5).lines.empty());
  const uint64_t begin = alerts.latest(5).next;
  for (int i = 0; i < 3; ++i) alerts.put(std::to_string(i));
  auto view = alerts.since(begin, 2);
  EXPECT_EQ(view.lines, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(view.lost, 0u);
  EXPECT_EQ(alerts.since(view.next, 10).lines, std::vector<std::string>{"2"});
  EXPECT_EQ(alerts.latest(2).lines, (std::vector<std::string>{"1", "2"}));
  for (size_t i = 0; i < events::RecentAlerts::kCapacity + 4; ++i) alerts.put("x");
  view = alerts.since(view.next, 1);
  EXPECT_EQ(view.lost, 5u) << "the third of the first ones, and four";
  EXPECT_EQ(view.lines.size(), 1u);
  EXPECT_EQ(alerts.since(UINT64_MAX, 9).lines.size(), 0u) << "of a hub that was started anew";
  EXPECT_EQ(alerts.since(UINT64_MAX, 9).next, alerts.latest(1).next);
}

TEST(RecentAlerts, IsBoundedInBytes) {
  events::RecentAlerts alerts;
  const std::string large(events::RecentAlerts::kMaxBytes / 4, 'x');
  for (int i = 0; i < 9; ++i) alerts.put(large);
  EXPECT_EQ(alerts.latest(100).lines.size(), 4u);
  alerts.put(std::string(2 * events::RecentAlerts::kMaxBytes, 'y'));
  EXPECT_EQ(alerts.latest(100).lines.size(), 1u) << "the last one is always there";
}

TEST_F(EventsTest, WriteErrorIsCountedAndLoggedOnce) {
  size_t left = 50'000;
  const auto take = [&](size_t max, const inspection::TakeEvent& to) {
    const size_t n = std::min(left, max);
    for (size_t i = 0; i < n; ++i) to({}, {});
    left -= n;
    return n;
  };
  auto full = EveFile::open("/dev/full");
  ASSERT_TRUE(full);
  {
    events::Writer writer({take, std::move(*full), [] { return uint64_t{0}; }, log_});
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
