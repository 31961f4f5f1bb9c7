// Any sequence of fragments against a small FragmentTable. No byte of a datagram passes twice, what is whole
// has no gap, every packet comes out exactly once, and the bounds hold.
//
// Input: records of {use, id and more-flag, share, offset / 8, length} of five bytes.
#include <cstdlib>
#include <map>
#include <set>
#include <vector>

#include "dataplane/fragment/fragment_table.h"

using namespace weir::dataplane;

namespace {

constexpr FragmentLimits kLimits{.held = 16, .datagrams = 8, .pieces = 6};
constexpr NanoTime kTimeout = 1'000;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Run {
  FragmentTable table{kLimits, 7};
  std::set<uintptr_t> inside;  // packets that the table has
  std::map<FragmentTable::Index, std::vector<bool>> passed;
  std::map<uintptr_t, Fragment> sent;

  void out(void* packet) { require(inside.erase(reinterpret_cast<uintptr_t>(packet)) == 1); }

  void mark(std::vector<bool>& bytes, const Fragment& f) {
    bytes.resize(std::max<size_t>(bytes.size(), f.offset + f.length));
    for (uint32_t i = 0; i < f.length; ++i) {
      require(!bytes[f.offset + i]);
      bytes[f.offset + i] = true;
    }
  }

  void offer(Fragment f, uintptr_t number, NanoTime now) {
    using Kind = FragmentTable::Answer::Kind;
    f.packet = reinterpret_cast<void*>(number);
    sent[number] = f;
    const uint32_t before = table.datagrams();
    const auto answer = table.offer(f, now);
    if (table.datagrams() > before) passed.erase(answer.datagram);  // its index is new
    switch (answer.kind) {
      case Kind::hold:
        require(inside.insert(number).second);
        return;
      case Kind::drop:
        require(answer.reason != DropReason::none);
        break;
      case Kind::spoil:
        table.take(answer.datagram, [&](void* packet, uint32_t, uint32_t) { out(packet); });
        break;
      case Kind::pass:
      case Kind::whole: {
        std::vector<bool>& bytes = passed[answer.datagram];
        mark(bytes, f);
        if (answer.kind == Kind::whole || f.offset == 0) {
          table.take(answer.datagram, [&](void* packet, uint32_t offset, uint32_t length) {
            const Fragment& held = sent.at(reinterpret_cast<uintptr_t>(packet));
            require(held.offset == offset && held.length == length);
            mark(bytes, held);
            out(packet);
          });
        }
        if (answer.kind == Kind::whole) {
          require(bytes.size() == table.total(answer.datagram));
          for (const bool there : bytes) require(there);
        }
        break;
      }
    }
    table.finish(answer.datagram);
    require(table.held() == inside.size() && table.held() <= kLimits.held &&
            table.datagrams() <= kLimits.datagrams);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Run run;
  NanoTime now = 0;
  for (uintptr_t number = 1; size >= 5; data += 5, size -= 5, ++number) {
    now += data[2] >> 2;
    run.table.expire(now, kTimeout, 2, [&](void* packet) { run.out(packet); });
    Fragment f;
    f.key.use = static_cast<FragmentUse>(data[0] % 3);
    f.key.id = data[1] & 7;
    f.more = (data[1] & 0x80) != 0;
    f.share = data[2] & 3;
    f.offset = data[3] * 8u * ((data[0] & 0x80) != 0 ? 33 : 1);
    f.length = data[4];
    f.room = 65'515;
    run.offer(f, number, now);
  }
  run.table.clear([&](void* packet) { run.out(packet); });
  require(run.inside.empty() && run.table.held() == 0 && run.table.datagrams() == 0);
  return 0;
}
