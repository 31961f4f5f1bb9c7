// Which name has which id, and which version number comes next.
//
// An index that a removed name leaves behind stays reserved until every worker has purged what names it
// (release()); only then it is given out again, with the next generation. A value: compiling a configuration
// works on a copy, so that a configuration that fails leaves no trace. Not synchronised; one thread at a
// time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/core/ids.h"

namespace weir::model {

template <typename Id>
class IdRegistry {
 public:
  /// The id of `name`, a new one if it has none yet. Nothing if all indices are taken.
  std::optional<Id> acquire(std::string_view name) {
    if (const auto it = by_name_.find(name); it != by_name_.end()) return it->second;
    uint32_t index = 0;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      if (generations_.size() > Id::kMaxIndex) return std::nullopt;
      index = static_cast<uint32_t>(generations_.size());
      generations_.push_back(0);
    }
    uint32_t& generation = generations_[index];
    generation = generation == Id::kMaxGeneration ? 1 : generation + 1;
    const Id id = Id::make(index, generation);
    by_name_.emplace(name, id);
    return id;
  }

  std::optional<Id> find(std::string_view name) const {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? std::nullopt : std::optional<Id>(it->second);
  }

  /// `name` is gone; its index stays reserved until release(). The id that it had, if any.
  std::optional<Id> retire(std::string_view name) {
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) return std::nullopt;
    const Id id = it->second;
    by_name_.erase(it);
    return id;
  }

  /// Every worker has purged what names `id`: its index may be given out again.
  void release(Id id) {
    if (id.index() < generations_.size() && generations_[id.index()] == id.generation()) {
      free_.push_back(id.index());
    }
  }

  /// One more than the highest index that was ever given out.
  uint32_t slots() const { return static_cast<uint32_t>(generations_.size()); }
  const std::map<std::string, Id, std::less<>>& names() const { return by_name_; }

 private:
  std::map<std::string, Id, std::less<>> by_name_;
  std::vector<uint32_t> generations_;  // by index, the last one given out
  std::vector<uint32_t> free_;
};

struct Identities {
  IdRegistry<dataplane::AttachmentId> attachments;  // by attachment_key()
  IdRegistry<dataplane::DomainId> domains;          // by name
  uint32_t last_version = 0;  // of routes and policies alike: unique over the hub's life
  uint64_t last_snapshot = 0;

  uint32_t next_version() { return ++last_version; }
};

/// An attachment that moves to another domain becomes another one: no session of the old domain may reach it.
inline std::string attachment_key(std::string_view domain, std::string_view name) {
  return std::string(domain) + '\n' + std::string(name);
}

}  // namespace weir::model
