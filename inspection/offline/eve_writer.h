// Events of a capture, line by line: what EventMaker makes and EveFormat writes, as in the hub, and what only
// captures have. Offline tool; one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/engine/event_maker.h"
#include "inspection/events/eve.h"

namespace weir::inspection::offline {

struct EveSettings {
  bool alert = true, anomaly = true, drop = false, flow = true, netflow = false, http = true, tls = true,
       dns = true, ssh = true, quic = true, smtp = true, ftp = true, fileinfo = true, stats = true;
  bool other_types = true;  // of protocols that have no word above
  bool payload = false, payload_printable = false, packet = false, metadata = true, verdict = false;
  bool rule_text = false, references = false;
  bool app_layer = true;  // what the transaction says, in alerts
  using Xff = EveOptions::Xff;
  Xff xff = Xff::none;
  bool xff_reverse = true;
  std::string xff_header = "x-forwarded-for";
  bool drop_alerts = true, drop_flows_all = false;
  bool tls_extended = true, tls_custom = false;
  std::vector<std::string> tls_fields;  // of `custom`
  bool subject_md5 = false;             // of `smtp`
  uint8_t file_hashes = 0;              // of `files`: FileHashKind
  bool community_id = false;
  uint16_t community_seed = 0;
  bool dns_requests = true, dns_responses = true;
  unsigned dns_version = 3;            // 2: as Suricata 7 writes it
  std::vector<std::string> dns_types;  // empty: all
};

class EveWriter final : public EventMaker {
 public:
  /// "-" is the standard output.
  static Result<std::unique_ptr<EveWriter>> open(const std::string& file, const EveSettings& settings);
  ~EveWriter() override;
  EveWriter(const EveWriter&) = delete;
  EveWriter& operator=(const EveWriter&) = delete;

  void ended(const EngineSession& session) override;
  /// One `stats` event, of a tree made elsewhere.
  void stats(nlohmann::ordered_json tree, uint64_t time_ns);
  /// Why sessions end that end now: "shutdown" at the end of the capture.
  void set_end_reason(const char* reason) { end_reason_ = reason; }
  /// Who is told of the steps of a rule that is explained.
  void tell_steps(std::function<void(const EngineSession*, const EnginePacket&, const RuleStep&)> to) {
    steps_ = std::move(to);
  }
  void explained(const EngineSession* session, const EnginePacket& packet, const RuleStep& step) override {
    if (steps_) steps_(session, packet, step);
  }
  /// Everything was written.
  Status finish();

 private:
  using Json = nlohmann::ordered_json;
  EveWriter(std::FILE* file, const EveSettings& settings);
  void made(Event& event, std::span<const uint8_t> fields, const EngineSession* session,
            const EnginePacket* packet) override;
  bool concluded(const EnginePacket& packet, const EngineVerdict& verdict) override;
  void add_flow(Json& json, const EngineSession& session) const;
  void write_dns(Json json);
  void write_older_dns(Json json, const Json& queries, bool response);
  void write_pending();
  void write(const Json& json);

  std::FILE* file_;
  EveSettings settings_;
  EveFormat format_;
  const char* end_reason_ = "timeout";
  bool failed_ = false;
  std::function<void(const EngineSession*, const EnginePacket&, const RuleStep&)> steps_;
  std::vector<Json> pending_;  // alerts of the packet at hand, which wait for its verdict
};

}  // namespace weir::inspection::offline
