#include "mgmt/config/validate.h"

namespace weir::config {

Validation::Validation(const Draft& d, Problems& problems)
    : draft(d),
      report(d, problems),
      ports("port", d.config.ports, d.ports, "name", report),
      domains("domain", d.config.domains, d.domains, "name", report),
      attachments("attachment", d.config.attachments, d.attachments, "name", report),
      groups("group", d.config.objects.groups, d.groups, "name", report),
      services("service", d.config.objects.services, d.services, "name", report),
      policy("policy rule", d.config.policy, d.policy, "id", report),
      profiles("profile", d.config.profiles, d.profiles, "name", report),
      nat("nat rule", d.config.nat, d.nat, "name", report) {}

void validate(const Draft& draft, Problems& problems) {
  const Validation v(draft, problems);
  validate_machine(v);
  validate_attachments(v);
  validate_routes(v);
  validate_route_lines(v);
  validate_objects(v);
  validate_policy(v);
  validate_profiles(v);
  validate_nat(v);
}

}  // namespace weir::config
