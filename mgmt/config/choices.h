// The words that the configuration uses for the values of its enumerations, each written once.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "mgmt/config/config.h"

namespace weir::config {

template <typename E>
struct Choice {
  std::string_view name;
  E value;
};

inline constexpr Choice<Hugepages> kHugepages[] = {
    {"auto", Hugepages::automatic}, {"on", Hugepages::on}, {"off", Hugepages::off}};
inline constexpr Choice<Idle> kIdle[] = {{"poll", Idle::poll}, {"adaptive", Idle::adaptive}};
/// `memory` is missing on purpose: such a port is made by tests, no file can ask for one.
inline constexpr Choice<PortDriver> kPortDrivers[] = {
    {"af_xdp", PortDriver::af_xdp}, {"af_packet", PortDriver::af_packet}, {"tap", PortDriver::tap},
    {"pcap", PortDriver::pcap},     {"null", PortDriver::null},           {"pci", PortDriver::pci}};
inline constexpr Choice<HealthProbe> kHealthProbes[] = {
    {"none", HealthProbe::none}, {"icmp", HealthProbe::icmp}, {"neighbor", HealthProbe::neighbor}};
inline constexpr Choice<dataplane::DscpModel> kDscpModels[] = {{"pipe", dataplane::DscpModel::pipe},
                                                               {"uniform", dataplane::DscpModel::uniform}};
inline constexpr Choice<dataplane::InnerFamilies> kInnerFamilies[] = {
    {"any", dataplane::InnerFamilies::any},
    {"ipv4", dataplane::InnerFamilies::ipv4},
    {"ipv6", dataplane::InnerFamilies::ipv6}};
/// The tables of an attachment of which it has exactly one.
inline constexpr Choice<dataplane::TunnelKind> kTunnelKinds[] = {{"vxlan", dataplane::TunnelKind::vxlan},
                                                                 {"geneve", dataplane::TunnelKind::geneve},
                                                                 {"gre", dataplane::TunnelKind::gre},
                                                                 {"ipip", dataplane::TunnelKind::ipip},
                                                                 {"native", dataplane::TunnelKind::native}};
/// The tables of a rule of address translation of which it has exactly one.
inline constexpr Choice<NatKind> kNatKinds[] = {
    {"static", NatKind::fixed}, {"dnat", NatKind::dnat}, {"snat", NatKind::snat}, {"nat64", NatKind::nat64}};
inline constexpr Choice<Protocol> kDnatProtocols[] = {{"tcp", Protocol::tcp}, {"udp", Protocol::udp}};
inline constexpr Choice<OnDrop> kOnDrop[] = {{"reset", OnDrop::reset}, {"silent", OnDrop::silent}};
inline constexpr Choice<WhenFull> kWhenFull[] = {{"half_open", WhenFull::half_open},
                                                 {"refuse", WhenFull::refuse}};
inline constexpr Choice<FailMode> kFailModes[] = {{"closed", FailMode::closed}, {"open", FailMode::open}};
inline constexpr Choice<InspectMode> kInspectModes[] = {
    {"ids", InspectMode::ids}, {"test", InspectMode::test}, {"ips", InspectMode::ips}};
inline constexpr Choice<OnConflict> kOnConflict[] = {{"rewrite", OnConflict::rewrite},
                                                     {"drop", OnConflict::drop}};
inline constexpr Choice<Checksums> kChecksums[] = {{"verify", Checksums::verify},
                                                   {"ignore", Checksums::ignore}};
inline constexpr Choice<ExceptionPolicy> kExceptionPolicies[] = {
    {"auto", ExceptionPolicy::automatic},          {"drop-flow", ExceptionPolicy::drop_flow},
    {"drop-packet", ExceptionPolicy::drop_packet}, {"reject", ExceptionPolicy::reject},
    {"bypass", ExceptionPolicy::bypass},           {"pass-flow", ExceptionPolicy::pass_flow},
    {"pass-packet", ExceptionPolicy::pass_packet}, {"ignore", ExceptionPolicy::ignore}};
inline constexpr Choice<PolicyAction> kPolicyActions[] = {{"allow", PolicyAction::allow},
                                                          {"deny", PolicyAction::deny},
                                                          {"reject", PolicyAction::reject},
                                                          {"inspect", PolicyAction::inspect}};
inline constexpr Choice<IfUnknown> kIfUnknown[] = {
    {"deny", IfUnknown::deny}, {"allow", IfUnknown::allow}, {"next", IfUnknown::next}};
inline constexpr Choice<DropEvents> kDropEvents[] = {{"start", DropEvents::start}, {"all", DropEvents::all}};
inline constexpr Choice<XffMode> kXffModes[] = {
    {"off", XffMode::off}, {"extra-data", XffMode::extra_data}, {"overwrite", XffMode::overwrite}};
inline constexpr Choice<XffDeployment> kXffDeployments[] = {{"reverse", XffDeployment::reverse},
                                                            {"forward", XffDeployment::forward}};
inline constexpr Choice<LogTime> kLogTimes[] = {{"start", LogTime::start}, {"end", LogTime::end}};
inline constexpr Choice<Protocol> kProtocols[] = {
    {"any", Protocol::any},   {"tcp", Protocol::tcp},       {"udp", Protocol::udp},
    {"icmp", Protocol::icmp}, {"icmpv6", Protocol::icmpv6}, {"sctp", Protocol::sctp},
    {"gre", Protocol::gre},   {"esp", Protocol::esp},       {"ah", Protocol::ah}};
inline constexpr std::array<std::string_view, 5> kLogLevels = {"trace", "debug", "info", "warn", "error"};

/// The names of one of the lists above.
template <const auto& kChoices>
inline constexpr auto kNamesOf = [] {
  std::array<std::string_view, std::size(kChoices)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kChoices[i].name;
  return names;
}();

template <typename E, size_t N>
constexpr std::optional<E> choice_of(const Choice<E> (&choices)[N], std::string_view name) {
  for (const auto& c : choices) {
    if (c.name == name) return c.value;
  }
  return std::nullopt;
}

/// Empty for a value that no file can ask for.
template <typename E, size_t N>
constexpr std::string_view name_of(const Choice<E> (&choices)[N], E value) {
  for (const auto& c : choices) {
    if (c.value == value) return c.name;
  }
  return {};
}

}  // namespace weir::config
