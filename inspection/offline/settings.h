// What `weir inspect` was told: of the engine, of decoding, of events. Read from a JSON file that describes
// an existing Suricata's settings (ips, checksums, midstream, vars, set, config).
#pragma once

#include <string>

#include "dataplane/net/result.h"
#include "inspection/engine/engine.h"
#include "inspection/offline/decode.h"
#include "inspection/offline/eve_writer.h"
#include "inspection/offline/session_table.h"
#include "inspection/rules/header_sets.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection::offline {

struct OfflineSettings {
  OfflineSettings();
  EngineSettings engine;
  SessionSettings session;
  DecodeSettings decode;
  EveSettings eve;
  FlowTimeouts timeouts;
  OverlapPolicy defrag = OverlapPolicy::bsd;
  bool use_vlans = true, use_levels = true;
  ast::RuleVariables variables;
  std::string classification_file, threshold_file;  // empty: none is named
  std::vector<ast::Action> action_order;            // empty: the usual one
  uint32_t host_marks = 262'144;                    // entries of the table that all workers share
  std::string capture_filter;                       // in libpcap's language; empty: none
};

/// Reads a settings file on top of the defaults. The error names what is wrong.
Result<OfflineSettings> read_settings(const std::string& file);

}  // namespace weir::inspection::offline
