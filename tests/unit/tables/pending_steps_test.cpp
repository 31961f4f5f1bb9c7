// What becomes of pending sessions, as a table: every event with every verdict.
#include "dataplane/policy/pending_steps.h"

#include <gtest/gtest.h>

namespace weir::test {
namespace {

using dataplane::pending_step;
using dataplane::PendingEvent;
using dataplane::PendingStep;
using dataplane::PendingVerdict;

TEST(PendingSteps, EveryEventWithEveryVerdict) {
  for (int e = 0; e < static_cast<int>(PendingEvent::count_); ++e) {
    for (int v = 0; v < static_cast<int>(PendingVerdict::count_); ++v) {
      const auto event = static_cast<PendingEvent>(e);
      const auto verdict = static_cast<PendingVerdict>(v);
      PendingStep expected = PendingStep::refuse;
      if (verdict == PendingVerdict::allowed) expected = PendingStep::settle;
      if (verdict == PendingVerdict::open && event == PendingEvent::bare) expected = PendingStep::pass;
      if (verdict == PendingVerdict::open && event == PendingEvent::load) expected = PendingStep::hold;
      if (verdict == PendingVerdict::open && event == PendingEvent::handshake)
        expected = PendingStep::release;
      EXPECT_EQ(pending_step(event, verdict), expected) << e << " " << v;
    }
  }
}

}  // namespace
}  // namespace weir::test
