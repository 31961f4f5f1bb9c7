// How each keyword is shown to matter: its rule is run over a small capture, and once more with the keyword's
// value altered. The rows stand in keyword_*_test.cpp, by subject.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/inspection/engine/keyword_traffic.h"

namespace weir::inspection::test {

// How a rule begins.
inline constexpr const char* kHttp = "alert http any any -> any any";
inline constexpr const char* kDns = "alert dns any any -> any any";
inline constexpr const char* kTls = "alert tls any any -> any any";
inline constexpr const char* kSsh = "alert ssh any any -> any any";
inline constexpr const char* kQuic = "alert quic any any -> any any";
inline constexpr const char* kHttp2 = "alert http2 any any -> any any";
inline constexpr const char* kSmtp = "alert smtp any any -> any any";
inline constexpr const char* kFtp = "alert ftp any any -> any any";
inline constexpr const char* kFtpData = "alert ftp-data any any -> any any";
inline constexpr const char* kTcp = "alert tcp any any -> any any";
inline constexpr const char* kUdp = "alert udp any any -> any any";
inline constexpr const char* kIcmp = "alert icmp any any -> any any";
inline constexpr const char* kIp = "alert ip any any -> any any";

/// Runs rules over a capture. The files that they name lie beside them: md5.txt, sha1.txt and sha256.txt have
/// the digest of "resp body 2", names.txt and scores.txt www.example.com, classes.config the class my-own.
class KeywordRunner {
 public:
  KeywordRunner();
  ~KeywordRunner();
  KeywordRunner(const KeywordRunner&) = delete;
  KeywordRunner& operator=(const KeywordRunner&) = delete;

  std::string classes;  // the settings' classification-file; empty: none

  /// Those of sid 1.
  std::vector<nlohmann::json> alerts(const Frames& frames, std::string rules);
  std::vector<nlohmann::json> events(const Frames& frames, std::string rules, std::string_view type);

 private:
  void write(const std::string& name, const std::string& text);
  const std::filesystem::path folder_;
};

struct KeywordRow {
  const char* keyword;
  Frames traffic;
  const char* header;
  const char* options;
  const char* altered;
  size_t alerts = 1, altered_alerts = 0;
  const char* before = "";               // rules before it
  const char* altered_before = nullptr;  // null: the same
  Frames other_traffic = {};             // not empty: of the altered rule
};

/// Each row's rule alerts as the row says, and so does the altered one.
void expect_to_matter(const std::vector<KeywordRow>& rows);

// The rows of each subject, and the names of those that have buffers.
std::vector<KeywordRow> content_rows();
std::vector<KeywordRow> packet_rows();
std::vector<KeywordRow> application_rows();
std::set<std::string_view> shown_buffers();

}  // namespace weir::inspection::test
