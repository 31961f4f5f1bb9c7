// Do two things of the configuration fit each other? Each says why not, as a sentence, or nothing if they do.
//
// Used for files and for changes of the running hub alike, so that both refuse the same with the same words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/config.h"

namespace weir::config {

/// A route's router inside its attachment. `route.via` is there.
std::string misfit_of_via(const Route& route, const Attachment& attachment);
/// A route without a router: its attachment needs an address of the prefix's family.
std::string misfit_of_family(const Route& route, const Attachment& attachment);

/// Ports that a rule's protocol does not have.
std::string misfit_of_ports(const PolicyRule& rule);
std::string misfit_of_ports(const Service& service);
/// ICMP types that a service's protocol does not have.
std::string misfit_of_types(const Service& service);
/// Services beside a protocol or ports.
std::string misfit_of_services(const PolicyRule& rule);
/// A name that is none, by the words of read_name_pattern(); `kind`: where it stands.
std::string misfit_of_name(inspection::NameKind kind, std::string_view text);
/// The first such name of a rule.
std::string misfit_of_names(const PolicyRule& rule);
/// Names, or `unknown`, where there can be none.
std::string misfit_of_unknown(const PolicyRule& rule);
/// Prefixes of different families on both sides.
std::string misfit_of_sides(const PolicyRule& rule);
/// A protocol that the family of the prefixes does not have.
std::string misfit_of_protocol(const PolicyRule& rule);
/// A profile where nothing is inspected.
std::string misfit_of_profile(const PolicyRule& rule);
/// A group without any part.
std::string misfit_of_parts(const Group& group);
/// A `match` that is no expression over tags.
std::string misfit_of_match(const Group& group);
/// More different sets of time-outs than sessions can name.
std::string misfit_of_timeouts(const std::vector<const PolicyRule*>& rules);

}  // namespace weir::config
