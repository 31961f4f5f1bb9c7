#include "inspection/rules/protocol_names.h"

#include <algorithm>
#include <vector>

namespace weir::inspection::ast {

namespace {

/// Protocols of the language beside those of app/protocols.def.
constexpr std::string_view kOthers[] = {
    "bittorrent-dht", "dcerpc",    "dhcp", "dnp3",   "doh2", "enip",   "ftp",  "ftp-data", "http2", "ike",
    "ikev2",          "imap",      "krb5", "ldap",   "mdns", "modbus", "mqtt", "nfs",      "ntp",   "pgsql",
    "pop3",           "quic",      "rdp",  "rfb",    "sip",  "smb",    "smtp", "snmp",     "ssh",   "telnet",
    "tftp",           "websocket", "irc",  "jabber", "msn",  "sdp"};

std::vector<AppName> make_names() {
  std::vector<AppName> names = {
#define APP(id, name) {name, AppProtocol::id},
#include "inspection/app/protocols.def"
#undef APP
      {"http1", AppProtocol::http1},
      {"ssl", AppProtocol::tls},
  };
  for (const std::string_view other : kOthers) {
    const bool parsed =
        std::any_of(names.begin(), names.end(), [&](const AppName& row) { return row.name == other; });
    if (!parsed) names.push_back({other, AppProtocol::unknown});
  }
  return names;
}

}  // namespace

std::span<const AppName> app_names() {
  static const std::vector<AppName> names = make_names();
  return names;
}

const AppName* find_app_name(std::string_view name) {
  const auto names = app_names();
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const AppName& row) { return row.name == name; });
  return found == names.end() ? nullptr : &*found;
}

}  // namespace weir::inspection::ast
