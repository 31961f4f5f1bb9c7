// What only several keys together can get wrong: names, references, addresses that do not fit each other.
#pragma once

#include "mgmt/config/problem.h"
#include "mgmt/config/references.h"
#include "mgmt/config/sections.h"

namespace weir::config {

/// Reports everything at once; what check_schema() has reported already is not reported again, nor what
/// follows from it.
void validate(const Draft& draft, Problems& problems);

/// What the parts of validate() share. Making one reports every name that is used twice.
struct Validation {
  Validation(const Draft& d, Problems& problems);

  const Draft& draft;
  Reporter report;
  Names ports, domains, attachments, groups, services, policy, profiles, nat;
};

// The parts, each in a file of its own.
void validate_machine(const Validation& v);      // cores, limits, ports, files
void validate_attachments(const Validation& v);  // domains and attachments
void validate_routes(const Validation& v);       // routes and connections
void validate_route_lines(const Validation& v);  // routes of the routes file
void validate_objects(const Validation& v);      // tags, prefixes, groups and services
void validate_policy(const Validation& v);       // rules
void validate_profiles(const Validation& v);     // inspection profiles
void validate_nat(const Validation& v);          // address translation

}  // namespace weir::config
