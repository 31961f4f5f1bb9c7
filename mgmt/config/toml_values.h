// Things of the configuration as keys of the key table and values in TOML: what diff() compares and what a
// written configuration consists of.
//
// A new key is a line in toml_values.cpp; it is then compared, saved and shown.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "mgmt/config/config.h"

namespace weir::config {

/// By path ("attachment[].vxlan.vni"), every key that the kind of thing has. Equal text means an equal value;
/// empty text stands for a key that is left out.
using Values = std::map<std::string, std::string, std::less<>>;

Values values_of(const Port& port);
Values values_of(const Domain& domain);
Values values_of(const Attachment& attachment);
Values values_of(const Route& route);
Values values_of(const Connection& connection);
Values values_of(const TaggedPrefix& prefix);
Values values_of(const Group& group);
Values values_of(const Service& service);
Values values_of(const PolicyRule& rule);
Values values_of(const Profile& profile);
Values values_of(const Nat& rule);
/// The keys of the sections that a file has once.
Values single_values(const Config& config);

/// What a thing is called in messages, unique among its kind. A route has no name of its own: it is called by
/// its domain, prefix and next hop, as `prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2`; a connection by
/// its domains, as `prod - shared`.
std::string name_of(const Port& port);
std::string name_of(const Domain& domain);
std::string name_of(const Attachment& attachment);
std::string name_of(const Route& route);
std::string name_of(const Connection& connection);
std::string name_of(const TaggedPrefix& prefix);
std::string name_of(const Group& group);
std::string name_of(const Service& service);
std::string name_of(const PolicyRule& rule);
std::string name_of(const Profile& profile);
std::string name_of(const Nat& rule);

/// A TOML basic string, quotes included. `text` is UTF-8.
std::string toml_string(std::string_view text);

}  // namespace weir::config
