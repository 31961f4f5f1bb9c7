// EVE JSON of what the engine tells, line by line, as Suricata 8 writes it. Offline tool; one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/engine/engine.h"

namespace weir::inspection::offline {

struct EveSettings {
  bool alert = true, anomaly = true, drop = false, flow = true, netflow = false, http = true, tls = true,
       dns = true, fileinfo = true, stats = true;
  bool other_types = true;  // of protocols that have no word above
  bool payload = false, payload_printable = false, packet = false, metadata = true, verdict = false;
  bool rule_text = false, references = false;
  bool app_layer = true;  // what the transaction says, in alerts
  enum class Xff : uint8_t { none, extra_data, overwrite };
  Xff xff = Xff::none;  // what becomes of the address that a proxy names
  bool xff_reverse = true;
  std::string xff_header = "x-forwarded-for";
  bool drop_alerts = true, drop_flows_all = false;
  bool tls_extended = true, tls_custom = false;
  std::vector<std::string> tls_fields;  // of `custom`
  uint8_t file_hashes = 0;              // of `files`: FileHashKind
  bool community_id = false;
  uint16_t community_seed = 0;
  bool dns_requests = true, dns_responses = true;
  std::vector<std::string> dns_types;  // empty: all
};

class EveWriter final : public EngineEvents {
 public:
  /// "-" is the standard output.
  static Result<std::unique_ptr<EveWriter>> open(const std::string& file, const EveSettings& settings);
  ~EveWriter() override;
  EveWriter(const EveWriter&) = delete;
  EveWriter& operator=(const EveWriter&) = delete;

  void alert(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert) override;
  void transaction(const EngineSession& session, const EnginePacket& packet,
                   Transaction& transaction) override;
  void moved(const EngineSession& session, const EnginePacket& packet,
             std::span<Transaction* const> transactions) override;
  void judged(const EngineSession* session, const EnginePacket& packet,
              const EngineVerdict& verdict) override;
  void ended(const EngineSession& session) override;
  /// One `stats` event, of a tree made elsewhere.
  void stats(nlohmann::ordered_json tree, uint64_t time_ns);
  /// Why sessions end that end now: "shutdown" at the end of the capture.
  void set_end_reason(const char* reason) { end_reason_ = reason; }
  /// Everything was written.
  Status finish();

 private:
  using Json = nlohmann::ordered_json;
  EveWriter(std::FILE* file, const EveSettings& settings) : file_(file), settings_(settings) {}
  enum class Ends : uint8_t { packet, flow, flow_reversed };
  Json header(const char* type, uint64_t time_ns, const EngineSession* session, const EnginePacket* packet,
              Ends ends);
  void add_ends(Json& json, const EngineSession* session, const EnginePacket* packet, Ends ends) const;
  Json alert_object(const EngineSession* session, const EnginePacket& packet, const RuleAlert& alert) const;
  void add_session(Json& json, const EngineSession& session) const;
  void add_protocols(Json& json, const EngineSession& session) const;
  void add_payload(Json& json, const EngineSession* session, const EnginePacket& packet,
                   const RuleAlert& alert) const;
  void add_packet(Json& json, const EnginePacket& packet) const;
  void add_forwarded_for(Json& json, Transaction& transaction, Direction direction) const;
  void drop_event(const EngineSession* session, const EnginePacket& packet, const EngineVerdict& verdict);
  void files(const EngineSession& session, const EnginePacket& packet, Transaction& transaction, bool last);
  void app_events(const EngineSession& session, const EnginePacket& packet, const Transaction& transaction);
  void write(const Json& json);

  std::FILE* file_;
  EveSettings settings_;
  const char* end_reason_ = "timeout";
  bool failed_ = false;
  /// Files of transactions under way that have their event, by direction.
  std::map<const Transaction*, std::array<size_t, 2>> files_told_;
  std::vector<Json> pending_;  // alerts of the packet at hand, which wait for its verdict
};

}  // namespace weir::inspection::offline
