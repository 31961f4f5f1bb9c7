// The network around the hub: who is where, which sessions there are, and where each packet has to come out.
//
//   west: 4 attachments ---+       +--- 4 attachments: east      both nets by ECMP of 4
//                          +- hub -+
//                                  +--- edge: spokes that come and go, one after the other
//
// Tenants come and go too: two domains with a spoke each and a connection between them. They all have the
// same addresses, and their sessions the same tuples.
//
// All of it follows from numbers, so that nothing has to be stored for a session but what happened to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mgmt/config/change.h"
#include "mgmt/config/config.h"
#include "tests/hitless/frame.h"

namespace weir::hitless {

/// Attachments by number: west's, east's, then the spokes that come and go, then two for each tenant; each
/// number once.
using AttachmentNumber = uint32_t;
inline constexpr uint32_t kMembers = 4;
inline constexpr AttachmentNumber kWest = 0, kEast = kMembers, kFirstSpoke = 2 * kMembers;

/// Where somebody floods there are no spokes that come and go, but these two, in a domain of their own.
inline constexpr AttachmentNumber kFlooder = kFirstSpoke, kBystander = kFirstSpoke + 1;

/// Sessions between west and east are numbered from 0. Those of spokes and tenants that come and go are
/// kPassing and up: the generation, then kPerSpoke sessions of it. Generations below WorldSize::spokes are
/// spokes, the others tenants.
using SessionNumber = uint32_t;
inline constexpr SessionNumber kPassing = 0x8000'0000;
inline constexpr uint32_t kPerSpoke = 4;

/// In stamps of packets that are to come out nowhere.
inline constexpr SessionNumber kNobody = 0x7fff'ffff;

constexpr SessionNumber passing_session(uint32_t generation, uint32_t which) {
  return kPassing | (generation * kPerSpoke + which);
}
constexpr uint32_t generation_of(SessionNumber session) { return (session & ~kPassing) / kPerSpoke; }

struct Session {
  Flow flow;                   // as it was started
  AttachmentNumber home = 0;   // where its first packet comes in: replies leave there
  AttachmentNumber first = 0;  // the `members` attachments from here are the ways to the other end
  uint32_t members = 1;
  uint16_t payload = kStampBytes;
  bool fragmented = false;
  bool inspected = false;
};

struct WorldSize {
  uint32_t sessions = 65'536;
  uint32_t spokes = 0;   // that come and go
  uint32_t tenants = 0;  // that do
  unsigned workers = 1;
  bool fragments = true;
  bool inspect = true;
  bool floods = false;  // kFlooder and kBystander are there
};

class World {
 public:
  explicit World(const WorldSize& size);

  const WorldSize& size() const { return size_; }
  const Link& link() const { return link_; }

  /// The hub's configuration file, but for what differs from machine to machine (worker, eal, api).
  std::string config(const std::string& rules_file) const;
  /// A rule file that matches nothing; of another `edition` its rules are others.
  static std::string rules(unsigned edition);

  static Spoke spoke(AttachmentNumber number);
  static std::optional<AttachmentNumber> number_of(uint32_t vni);
  Session session(SessionNumber number) const;

  // --- the flooder and the bystander: a gateway, and hosts from noise_host() on ---
  static uint32_t noise_gateway(AttachmentNumber number);
  static uint32_t noise_host(AttachmentNumber number) { return noise_gateway(number) + 1; }
  /// A host that sessions come from.
  static uint32_t west_host(uint32_t number);

  // --- what comes and goes ---
  uint32_t generations() const { return size_.spokes + size_.tenants; }
  bool is_tenant(uint32_t generation) const { return generation >= size_.spokes; }
  /// What makes a spoke or a tenant, as one transaction, and what takes it away again.
  config::ModelChanges arrival(uint32_t generation) const;
  config::ModelChanges departure(uint32_t generation) const;

 private:
  Session passing(SessionNumber number) const;
  Session of_tenant(SessionNumber number) const;
  AttachmentNumber attachment_of_tenant(uint32_t generation, unsigned side) const {
    return kFirstSpoke + size_.spokes + 2 * (generation - size_.spokes) + side;
  }
  config::ModelChanges parts_of(uint32_t generation, config::ChangeVerb verb) const;

  WorldSize size_;
  Link link_;
};

}  // namespace weir::hitless
