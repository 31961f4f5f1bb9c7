// Keywords of the language that this engine does not evaluate, and whose values it does not look at.
#include <vector>

#include "inspection/rules/keyword.h"

namespace weir::inspection::ast {

namespace {

struct Names {
  KeywordGroup group;
  std::string_view why;
  std::initializer_list<std::string_view> names;
};

constexpr KeywordGroup kOther = KeywordGroup::other_protocols;

const Names kRefused[] = {
    {KeywordGroup::payload, "Lua is not run inside of the data path.", {"lua", "luajit", "luaxform"}},
    {KeywordGroup::payload, "Not evaluated.", {"asn1", "entropy", "rpc", "subslice"}},
    {KeywordGroup::payload, "Payloads are not rewritten.", {"replace"}},
    {KeywordGroup::packet, "There is no data of places.", {"geoip"}},
    {KeywordGroup::packet, "There is no data of reputations.", {"iprep"}},
    {KeywordGroup::packet, "Layer 2 is not kept.", {"ether.hdr", "ether.src", "ether.dst", "l3_proto"}},
    {KeywordGroup::packet, "IGMP is not parsed.", {"igmp.hdr", "igmp.type"}},
    {KeywordGroup::flow, "Not evaluated.", {"flow.elephant", "app-layer-state"}},
    {KeywordGroup::effect, "Pieces of protocols have no names here.", {"frame"}},
    {KeywordGroup::tls, "Certificates are not stored.", {"tls.store", "tlsstore"}},
    {kOther,
     "DCE/RPC is not parsed.",
     {"dcerpc.iface", "dcerpc.opnum", "dcerpc.stub_data", "dce_iface", "dce_opnum", "dce_stub_data"}},
    {kOther,
     "SMB is not parsed.",
     {"smb.named_pipe", "smb_named_pipe", "smb.share", "smb_share", "smb.ntlmssp_user", "smb.ntlmssp_domain",
      "smb.version"}},
    {kOther, "NFS is not parsed.", {"nfs_procedure", "nfs_version", "nfs.version"}},
    {kOther,
     "Kerberos is not parsed.",
     {"krb5_msg_type", "krb5.msg_type", "krb5_err_code", "krb5_cname", "krb5.cname", "krb5_sname",
      "krb5.sname", "krb5.ticket_encryption", "krb5.weak_encryption"}},
    {kOther, "DNP3 is not parsed.", {"dnp3_func", "dnp3_ind", "dnp3_obj", "dnp3_data", "dnp3.data"}},
    {kOther, "Modbus is not parsed.", {"modbus"}},
    {kOther, "ENIP is not parsed.", {"cip_service",           "enip_command",      "enip.command",
                                     "enip.cip_attribute",    "enip.cip_class",    "enip.cip_extendedstatus",
                                     "enip.cip_instance",     "enip.cip_status",   "enip.device_type",
                                     "enip.identity_status",  "enip.product_code", "enip.product_name",
                                     "enip.protocol_version", "enip.revision",     "enip.serial",
                                     "enip.service_name",     "enip.state",        "enip.status",
                                     "enip.vendor_id",        "enip.capabilities"}},
    {kOther,
     "SNMP is not parsed.",
     {"snmp.version", "snmp.community", "snmp.usm", "snmp.pdu_type", "snmp.trap_type"}},
    {kOther,
     "SIP is not parsed.",
     {"sip.method", "sip.uri", "sip.request_line", "sip.stat_code", "sip.stat_msg", "sip.response_line",
      "sip.protocol", "sip.from", "sip.to", "sip.via", "sip.user_agent", "sip.content_type",
      "sip.content_length"}},
    {kOther,
     "SDP is not parsed.",
     {"sdp.origin", "sdp.session_name", "sdp.session_info", "sdp.uri", "sdp.email", "sdp.phone_number",
      "sdp.connection_data", "sdp.bandwidth", "sdp.time", "sdp.repeat_time", "sdp.timezone",
      "sdp.encryption_key", "sdp.attribute", "sdp.media.media", "sdp.media.session_info",
      "sdp.media.connection_data", "sdp.media.encryption_key"}},
    {kOther, "RFB is not parsed.", {"rfb.name", "rfb.sectype", "rfb.secresult"}},
    {kOther,
     "MQTT is not parsed.",
     {"mqtt.type", "mqtt.flags", "mqtt.qos", "mqtt.reason_code", "mqtt.connack.session_present",
      "mqtt.connect.clientid", "mqtt.connect.flags", "mqtt.connect.password", "mqtt.connect.protocol_string",
      "mqtt.connect.username", "mqtt.connect.willmessage", "mqtt.connect.willtopic", "mqtt.protocol_version",
      "mqtt.publish.message", "mqtt.publish.topic", "mqtt.subscribe.topic", "mqtt.unsubscribe.topic"}},
    {kOther,
     "IKE is not parsed.",
     {"ike.init_spi", "ike.resp_spi", "ike.chosen_sa_attribute", "ike.exchtype", "ike.vendor",
      "ike.key_exchange_payload", "ike.key_exchange_payload_length", "ike.nonce_payload",
      "ike.nonce_payload_length"}},
    {kOther,
     "LDAP is not parsed.",
     {"ldap.request.operation", "ldap.responses.operation", "ldap.responses.count", "ldap.request.dn",
      "ldap.responses.dn", "ldap.responses.result_code", "ldap.responses.message",
      "ldap.responses.attribute_type", "ldap.request.attribute_type"}},
    {kOther, "PostgreSQL is not parsed.", {"pgsql.query"}},
    {kOther,
     "WebSocket is not parsed.",
     {"websocket.payload", "websocket.flags", "websocket.mask", "websocket.opcode"}},
    {kOther,
     "mDNS is not parsed.",
     {"mdns.queries.rrname", "mdns.answers.rrname", "mdns.authorities.rrname", "mdns.additionals.rrname",
      "mdns.response.rrname"}},
    {kOther, "DHCP is not parsed.", {"dhcp.leasetime", "dhcp.rebinding_time", "dhcp.renewal_time"}},
    {kOther, "TFTP is not parsed.", {"tftp.opcode", "tftp.file", "tftp.mode"}},
    {kOther, "NTP is not parsed.", {"ntp.version", "ntp.mode", "ntp.stratum", "ntp.reference_id"}},
};

}  // namespace

std::span<const Keyword> refused_keywords() {
  static const std::vector<Keyword> rows = [] {
    std::vector<Keyword> made;
    for (const Names& names : kRefused) {
      for (const std::string_view name : names.names) {
        made.push_back({name, names.group, Value::optional, nullptr, Support::refused, names.why, "", 0});
      }
    }
    return made;
  }();
  return rows;
}

}  // namespace weir::inspection::ast
