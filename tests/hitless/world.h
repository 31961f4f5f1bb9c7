// The network around the hub: who is where, which sessions there are, and where each packet has to come out.
//
//   west: 4 attachments ---+       +--- 4 attachments: east      both nets by ECMP of 4
//                          +- hub -+
//                                  +--- edge: spokes that come and go, one after the other
//
// All of it follows from numbers, so that nothing has to be stored for a session but what happened to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mgmt/config/config.h"
#include "tests/hitless/frame.h"

namespace weir::hitless {

/// Attachments by number: west's, east's, then the spokes that come and go, each number once.
using AttachmentNumber = uint32_t;
inline constexpr uint32_t kMembers = 4;
inline constexpr AttachmentNumber kWest = 0, kEast = kMembers, kFirstSpoke = 2 * kMembers;

/// Where somebody floods there are no spokes that come and go, but these two, in a domain of their own.
inline constexpr AttachmentNumber kFlooder = kFirstSpoke, kBystander = kFirstSpoke + 1;

/// Sessions between west and east are numbered from 0. Those of spokes that come and go are kPassing and up:
/// the spoke's generation, then kPerSpoke sessions of it.
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

  // --- a spoke that comes and goes, in the words of the configuration ---
  static std::string spoke_name(uint32_t generation) { return "spoke" + std::to_string(generation); }
  config::Attachment spoke_attachment(uint32_t generation) const;
  config::Route spoke_route(uint32_t generation) const;

 private:
  Session passing(SessionNumber number) const;

  WorldSize size_;
  Link link_;
};

}  // namespace weir::hitless
