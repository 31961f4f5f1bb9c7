#include "mgmt/model/model.h"

namespace weir::model {

std::string Model::attachment_name(dataplane::AttachmentId id) const {
  const dataplane::Attachment* attachment = attachments != nullptr ? attachments->find(id) : nullptr;
  return attachment != nullptr ? attachment->name : std::string();
}

std::string Model::domain_name(dataplane::DomainId id) const {
  if (!id.valid() || id.index() >= domains.size() || domains[id.index()] == nullptr) return {};
  return domains[id.index()]->id == id ? domains[id.index()]->name : std::string();
}

}  // namespace weir::model
