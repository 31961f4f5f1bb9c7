#include "dataplane/io/xdp_steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/mman.h>
#include <unistd.h>

#include <netinet/in.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <system_error>

#include "dataplane/io/interface.h"
#include "dataplane/io/interface_claim.h"
#include "dataplane/io/xdp/steer_maps.h"
#include "dataplane/io/xdp/steer_object.h"

namespace weir::dataplane {
namespace {

std::string error_text(int error) { return std::generic_category().message(error); }

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// The XDP program attached to an interface.
struct AttachedProgram {
  Fd fd;
  uint32_t id = 0;  // 0: none is attached
  std::string name;
  std::vector<uint32_t> maps;
  bool is_ours() const { return name == WEIR_STEER_PROGRAM; }
};

Result<AttachedProgram> attached_program(uint32_t ifindex) {
  AttachedProgram program;
  if (const int result = bpf_xdp_query_id(static_cast<int>(ifindex), 0, &program.id); result != 0) {
    return fail(ErrorCode::io, "cannot ask the kernel for the XDP program: " + error_text(-result));
  }
  if (program.id == 0) return program;
  program.fd = Fd(bpf_prog_get_fd_by_id(program.id));
  if (!program.fd.is_open()) {
    return fail(ErrorCode::io,
                "cannot look at XDP program " + std::to_string(program.id) + ": " + error_text(errno));
  }
  constexpr uint32_t kMostMaps = 64;
  program.maps.resize(kMostMaps);
  bpf_prog_info info{};
  info.nr_map_ids = kMostMaps;
  info.map_ids = reinterpret_cast<uintptr_t>(program.maps.data());
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.fd.get(), &info, &size) != 0) {
    return fail(ErrorCode::io,
                "cannot look at XDP program " + std::to_string(program.id) + ": " + error_text(errno));
  }
  program.maps.resize(std::min(info.nr_map_ids, kMostMaps));
  program.name = info.name;
  return program;
}

Result<Fd> find_map(const AttachedProgram& program, const std::string& name) {
  for (uint32_t id : program.maps) {
    Fd map(bpf_map_get_fd_by_id(id));
    bpf_map_info info{};
    uint32_t size = sizeof(info);
    if (map.is_open() && bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0 && name == info.name)
      return map;
  }
  return fail(ErrorCode::not_found, "the XDP program has no map named " + name);
}

/// Byte-wise order, so that keys can lie in a set.
template <typename Key>
struct KeyLess {
  bool operator()(const Key& a, const Key& b) const { return std::memcmp(&a, &b, sizeof(Key)) < 0; }
};
template <typename Key>
using KeySet = std::set<Key, KeyLess<Key>>;

/// What the kernel's map holds now: the map itself is the record, so nothing can get out of step with it.
template <typename Key>
KeySet<Key> keys_of(int map) {
  KeySet<Key> keys;
  Key key;
  for (int result = bpf_map_get_next_key(map, nullptr, &key); result == 0;) {
    keys.insert(key);
    const Key previous = key;
    result = bpf_map_get_next_key(map, &previous, &key);
  }
  return keys;
}

template <typename Key>
Status add_missing(int map, const KeySet<Key>& present, const KeySet<Key>& wanted) {
  const uint32_t value = 1;
  for (const Key& key : wanted) {
    if (!present.contains(key) && bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0) {
      return fail(ErrorCode::io, "the kernel refuses an XDP steering rule: " + error_text(errno));
    }
  }
  return {};
}

template <typename Key>
Status remove_others(int map, const KeySet<Key>& present, const KeySet<Key>& wanted) {
  for (const Key& key : present) {
    if (!wanted.contains(key) && bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) {
      return fail(ErrorCode::io, "the kernel does not remove an XDP steering rule: " + error_text(errno));
    }
  }
  return {};
}

class KernelSteering : public XdpSteering {
 public:
  KernelSteering(Fd rules, Fd fragments, Fd vlans)
      : rules_(std::move(rules)), fragments_(std::move(fragments)), vlans_(std::move(vlans)) {}

  Status set(const std::vector<SteerRule>& rules) override {
    KeySet<weir_steer_key> wanted;
    KeySet<weir_steer_fragment_key> wanted_fragments;
    KeySet<uint32_t> wanted_vlans;
    for (const SteerRule& rule : rules) {
      if (rule.vlan) {
        wanted_vlans.insert(*rule.vlan);
        continue;
      }
      weir_steer_key key{.address = {},
                         .port = htons(rule.udp_port),
                         .protocol = rule.protocol,
                         .version = static_cast<uint8_t>(rule.local.family)};
      if (rule.local.is_v4()) {
        key.address[0] = rule.local.v4().be().raw();
      } else {
        rule.local.v6().store(key.address);
      }
      wanted.insert(key);
      weir_steer_fragment_key fragment{
          .address = {}, .protocol = key.protocol, .version = key.version, .zero = {}};
      std::memcpy(fragment.address, key.address, sizeof key.address);
      wanted_fragments.insert(fragment);
    }
    if (wanted.size() > kMaxRules) {
      return fail(ErrorCode::exhausted, std::to_string(wanted.size()) +
                                            " pairs of address and port to steer, but only " +
                                            std::to_string(kMaxRules) + " fit");
    }
    const auto present = keys_of<weir_steer_key>(rules_.get());
    const auto present_fragments = keys_of<weir_steer_fragment_key>(fragments_.get());
    const auto present_vlans = keys_of<uint32_t>(vlans_.get());
    return add_missing(vlans_.get(), present_vlans, wanted_vlans)
        .and_then([&] { return add_missing(fragments_.get(), present_fragments, wanted_fragments); })
        .and_then([&] { return add_missing(rules_.get(), present, wanted); })
        .and_then([&] { return remove_others(rules_.get(), present, wanted); })
        .and_then([&] { return remove_others(fragments_.get(), present_fragments, wanted_fragments); })
        .and_then([&] { return remove_others(vlans_.get(), present_vlans, wanted_vlans); });
  }

 private:
  static constexpr size_t kMaxRules = WEIR_STEER_MAP_ENTRIES / 2;
  Fd rules_;
  Fd fragments_;
  Fd vlans_;
};

Result<std::string> make_object_file() {
  const int fd = memfd_create("weir_steer.bpf.o", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::io, "no memory file for the XDP program: " + error_text(errno));
  const auto object = steer_object();
  if (write(fd, object.data(), object.size()) != static_cast<ssize_t>(object.size())) {
    const int error = errno;
    close(fd);
    return fail(ErrorCode::io, "cannot write the XDP program to memory: " + error_text(error));
  }
  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace

Result<std::string> XdpSteering::object_file() {
  // Stays open for the life of the process: every af_xdp port reads it, now or after a reload.
  static const Result<std::string> path = make_object_file();
  return path;
}

Status XdpSteering::remove_stale(const std::string& interface) {
  const auto facts = find_interface(interface);
  if (!facts) return tl::unexpected(facts.error());
  const auto claim = InterfaceClaim::take(interface, facts->index);
  if (!claim) return tl::unexpected(claim.error());
  return detach_stale(interface, facts->index);
}

Status detach_stale(const std::string& interface, uint32_t ifindex) {
  const auto program = attached_program(ifindex);
  if (!program) return tl::unexpected(Error(program.error()).context(interface));
  if (program->id == 0) return {};
  if (!program->is_ours()) {
    return fail(ErrorCode::in_use, interface + " has an XDP program that is not Weir's (id " +
                                       std::to_string(program->id) + ", name \"" + program->name +
                                       "\"); `ip link set " + interface + " xdp off` removes it");
  }
  LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = program->fd.get());
  const int result = bpf_xdp_detach(static_cast<int>(ifindex), XDP_FLAGS_REPLACE, &options);
  if (result != 0) {
    return fail(ErrorCode::io, interface + ": cannot remove the XDP program that an earlier hub left: " +
                                   error_text(-result));
  }
  return {};
}

Result<std::unique_ptr<XdpSteering>> XdpSteering::attach_to(uint32_t ifindex) {
  const auto program = attached_program(ifindex);
  if (!program) return tl::unexpected(program.error());
  if (!program->is_ours()) {
    return fail(ErrorCode::not_found,
                "interface " + std::to_string(ifindex) + " has no XDP program of Weir's");
  }
  auto rules = find_map(*program, WEIR_STEER_MAP);
  if (!rules) return tl::unexpected(rules.error());
  auto fragments = find_map(*program, WEIR_STEER_FRAGMENT_MAP);
  if (!fragments) return tl::unexpected(fragments.error());
  auto vlans = find_map(*program, WEIR_STEER_VLAN_MAP);
  if (!vlans) return tl::unexpected(vlans.error());
  return std::make_unique<KernelSteering>(std::move(*rules), std::move(*fragments), std::move(*vlans));
}

}  // namespace weir::dataplane
