#include "tests/unit/inspection/engine/keyword_outcomes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "inspection/offline/inspect.h"
#include "tests/support/pcap_writer.h"

namespace weir::inspection::test {

using Json = nlohmann::json;

namespace {

// MD5, SHA-1 and SHA-256 of "resp body 2", which is the file that web() answers with.
constexpr const char* kLists[][2] = {
    {"md5.txt", "# a list\n3e9ead51cee0d4e21bc55f7d3e03496c  resp.txt\n"},
    {"sha1.txt", "d74106ef8099eb9e5fa8ee6dbce1a9cf5cdb1554\n"},
    {"sha256.txt", "1c35eaa8ffe9035cbc32daa0fa5f63537c9c5161611e68f264a037367527c13a\n"},
    {"names.txt", "d3d3LmV4YW1wbGUuY29t\n"},
    {"scores.txt", "d3d3LmV4YW1wbGUuY29t,70\n"},
    {"classes.config", "config classification: my-own,Mine alone,2\n"}};

}  // namespace

KeywordRunner::KeywordRunner()
    : folder_(std::filesystem::temp_directory_path() / ("weir-keywords-" + std::to_string(getpid()))) {
  std::filesystem::create_directories(folder_);
  for (const auto& [name, text] : kLists) write(name, text);
}

KeywordRunner::~KeywordRunner() { std::filesystem::remove_all(folder_); }

void KeywordRunner::write(const std::string& name, const std::string& text) {
  std::ofstream(folder_ / name, std::ios::binary) << text;
}

std::vector<Json> KeywordRunner::alerts(const Frames& frames, std::string rules) {
  std::vector<Json> found = events(frames, std::move(rules), "alert");
  std::erase_if(found, [](const Json& alert) { return alert["alert"]["signature_id"] != 1; });
  return found;
}

std::vector<Json> KeywordRunner::events(const Frames& frames, std::string rules, std::string_view type) {
  constexpr std::string_view kToken = "FINGERPRINT";
  if (const size_t at = rules.find(kToken); at != std::string::npos)
    rules.replace(at, kToken.size(), tls_fingerprint());
  write("test.rules", rules);
  {
    weir::test::PcapWriter pcap(folder_ / "in.pcap");
    uint64_t time_ns = kCaptureNs;
    for (const auto& frame : frames) pcap.write(frame, time_ns += 1'000'000'000);
  }
  offline::InspectRequest request;
  request.rules.files = {folder_ / "test.rules"};
  request.pcap = folder_ / "in.pcap";
  request.eve = folder_ / "eve.json";
  request.settings.engine.memory = 4 << 20;
  request.settings.host_marks = 1'024;
  request.settings.eve.references = true;
  if (!classes.empty()) request.settings.classification_file = folder_ / classes;
  std::ostringstream said;
  EXPECT_EQ(offline::run_inspect(std::move(request), said), offline::kInspectOk) << said.str();
  // That `requires` leaves a rule out is told, too.
  if (rules.find("requires:") == std::string::npos) {
    EXPECT_EQ(said.str(), "") << rules;
  }
  std::vector<Json> found;
  std::ifstream eve(folder_ / "eve.json");
  for (std::string line; std::getline(eve, line);) {
    Json json = Json::parse(line);
    if (json["event_type"] == type) found.push_back(std::move(json));
  }
  return found;
}

void expect_to_matter(const std::vector<KeywordRow>& rows) {
  KeywordRunner runner;
  for (const KeywordRow& row : rows) {
    SCOPED_TRACE(row.keyword);
    const auto rule = [&](const char* options) {
      return std::string(row.header) + " (" + options + " sid:1;)\n";
    };
    const std::string before = row.before;
    const std::string altered_before = row.altered_before != nullptr ? row.altered_before : row.before;
    const Frames& other = row.other_traffic.empty() ? row.traffic : row.other_traffic;
    EXPECT_EQ(runner.alerts(row.traffic, before + rule(row.options)).size(), row.alerts) << row.options;
    EXPECT_EQ(runner.alerts(other, altered_before + rule(row.altered)).size(), row.altered_alerts)
        << row.altered;
  }
}

}  // namespace weir::inspection::test
