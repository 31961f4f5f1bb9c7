// `weir inspect --workers N`: the same events, however many engines the sessions are dealt to.
#include <gtest/gtest.h>
#include <pcap/dlt.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "inspection/offline/inspect.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection::offline {
namespace {

using namespace test;
namespace fs = std::filesystem;

/// A datagram as a capture of raw IP has it.
Octets datagram(uint8_t from, uint8_t to, uint16_t port, std::string_view payload) {
  Octets out = {0x45, 0};
  put16(out, 28 + payload.size());
  put(out, {0, 7, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 1, to});
  put16(out, port);
  put16(out, 9);
  put16(out, 8 + payload.size());
  put16(out, 0);
  put(out, text(payload));
  return out;
}

void put32(std::ofstream& out, uint32_t value) { out.write(reinterpret_cast<const char*>(&value), 4); }

void write_capture(const fs::path& file) {
  std::ofstream out(file, std::ios::binary);
  put32(out, 0xa1b2c3d4);
  put32(out, 4U << 16 | 2);  // version 2.4
  put32(out, 0);
  put32(out, 0);
  put32(out, 65'535);
  put32(out, DLT_RAW);
  std::mt19937 random(11);
  for (uint32_t i = 0; i < 800; ++i) {
    const auto session = static_cast<uint32_t>(random() % 40);
    const Octets packet =
        datagram(static_cast<uint8_t>(session % 3), static_cast<uint8_t>(session % 2),
                 static_cast<uint16_t>(1'000 + session), random() % 4 == 0 ? "first" : "second");
    put32(out, 1'700'000'000 + i / 10);
    put32(out, i % 10 * 100'000);
    put32(out, static_cast<uint32_t>(packet.size()));
    put32(out, static_cast<uint32_t>(packet.size()));
    out.write(reinterpret_cast<const char*>(packet.data()), static_cast<std::streamsize>(packet.size()));
  }
}

class Workers : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    write_capture(folder_ / "in.pcap");
    std::ofstream rules(folder_ / "in.rules");
    uint32_t sid = 0;
    for (const char* track : {"by_src", "by_dst", "by_both", "by_rule", "by_flow"}) {
      for (const char* kind : {"threshold:type limit,", "threshold:type threshold,", "threshold:type both,",
                               "detection_filter:"}) {
        rules << "alert udp any any -> any any (msg:\"t\"; content:\"second\"; " << kind << " track " << track
              << ", count 4, seconds 9; sid:" << ++sid << ";)\n";
      }
    }
    rules << "alert udp any any -> any any (msg:\"b\"; content:\"first\"; xbits:set,x,track ip_src,expire 1; "
             "hostbits:toggle,h,dst; sid:100;)\n"
             "alert udp any any -> any any (msg:\"b\"; content:\"second\"; xbits:isset,x,track ip_src; "
             "sid:101;)\n"
             "alert udp any any -> any any (msg:\"b\"; content:\"second\"; hostbits:isset,h,dst; sid:102;)\n"
             "alert udp any any -> any any (msg:\"d\"; content:\"first\"; ip.src; dataset:set,sources,type "
             "ipv4,state sources.txt; sid:103;)\n"
             "alert udp any any -> any any (msg:\"d\"; content:\"second\"; ip.src; dataset:isset,sources; "
             "sid:104;)\n";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::string> events(unsigned workers) {
    InspectRequest request;
    request.rules.files = {folder_ / "in.rules"};
    request.pcap = folder_ / "in.pcap";
    request.eve = folder_ / "eve.json";
    request.workers = workers;
    request.settings.eve.stats = false;  // they tell of each engine
    fs::remove(folder_ / "sources.txt");
    std::ostringstream err;
    EXPECT_EQ(run_inspect(std::move(request), err), kInspectOk) << err.str();
    std::vector<std::string> lines;
    std::ifstream in(folder_ / "eve.json");
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  const fs::path folder_ = fs::temp_directory_path() / ("weir_workers_" + std::to_string(::getpid()));
};

TEST_F(Workers, OneTwoAndFourTellTheSame) {
  const std::vector<std::string> one = events(1);
  std::ifstream saved(folder_ / "sources.txt");
  const std::string values(std::istreambuf_iterator<char>(saved), {});
  EXPECT_EQ(values, "10.0.0.0\n10.0.0.1\n10.0.0.2\n") << "the set as it is at the end";
  for (uint32_t sid = 1; sid <= 104; sid = sid == 20 ? 100 : sid + 1) {
    const std::string of = "\"signature_id\":" + std::to_string(sid) + ",";
    EXPECT_TRUE(std::any_of(one.begin(), one.end(), [&](const std::string& line) {
      return line.find(of) != std::string::npos;
    })) << sid;
  }
  EXPECT_EQ(events(2), one);
  EXPECT_EQ(events(4), one);
}

}  // namespace
}  // namespace weir::inspection::offline
