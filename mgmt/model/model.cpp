#include "mgmt/model/model.h"

namespace weir::model {

std::string Model::attachment_name(dataplane::AttachmentId id) const {
  const bool known = attachments != nullptr && attachments->find(id) != nullptr;
  return known ? attachment_names[id.index()] : std::string();
}

std::string Model::domain_name(dataplane::DomainId id) const {
  if (!id.valid() || id.index() >= domains.size() || domains[id.index()] == nullptr) return {};
  return domains[id.index()]->id == id ? domain_names[id.index()] : std::string();
}

}  // namespace weir::model
