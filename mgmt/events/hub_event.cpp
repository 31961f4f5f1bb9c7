#include "mgmt/events/hub_event.h"

#include <nlohmann/json.hpp>

#include "inspection/events/eve.h"

namespace weir::events {

std::string to_eve_json(const AttachmentEvent& event, int64_t offset_ns) {
  const nlohmann::ordered_json json = {{"timestamp", inspection::eve_timestamp(event.time_ns, offset_ns)},
                                       {"event_type", "attachment"},
                                       {"attachment",
                                        {{"name", event.attachment},
                                         {"domain", event.domain},
                                         {"state", event.state},
                                         {"was", event.was},
                                         {"reason", event.reason}}}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void HubEvents::put(AttachmentEvent event) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= kCapacity) {
    ++lost_;
  } else {
    queue_.push_back(std::move(event));
  }
}

std::vector<AttachmentEvent> HubEvents::take(size_t max) {
  const std::lock_guard lock(mutex_);
  std::vector<AttachmentEvent> taken;
  for (; !queue_.empty() && taken.size() < max; queue_.pop_front())
    taken.push_back(std::move(queue_.front()));
  return taken;
}

uint64_t HubEvents::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace weir::events
