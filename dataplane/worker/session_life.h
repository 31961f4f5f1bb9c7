// A session's life beside its packets: how it starts to be inspected, how long it lives, how it ends. Worker
// only.
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// Its idle time-out in ticks, by protocol and state.
uint32_t idle_timeout(const Timeouts& timeouts, const Session& session, const SessionCold& cold);

/// Takes over what the rule that decided the session does to it. True: its time-outs are other ones than
/// before, so the timer of a session that has one is to be set again (arm_session()).
bool set_effects(WorkerContext& ctx, SessionIndex index, const RuleEffects& effects);

/// The record of a session that begins, if its rule asks for one.
void log_start(WorkerContext& ctx, SessionIndex index);

/// Makes the session inspected by `profile`, or not inspected, as `decision` says; opens or closes its flow.
/// False: inspection has no room and the profile fails closed.
bool set_inspection(WorkerContext& ctx, SessionIndex index, const PolicyDecision& decision);

/// By which a session of the profile is judged now.
inline inspection::RulesInUse rules_in_use(const WorkerContext& ctx, const Profile& profile) {
  return {*profile.ruleset, profile.ruleset_before.get(), ctx.snapshot->rules_generation};
}

/// Opens a flow for a session whose profile is known, bypassed or not. False: as set_inspection().
bool begin_inspection(WorkerContext& ctx, SessionIndex index);
/// Nothing later of it can matter: it is forwarded as if it were not inspected, and costs no more than that.
void bypass_session(WorkerContext& ctx, SessionIndex index);
/// What libmagic has said of sessions' files since the last turn: rules that waited for it are judged, as far
/// as the turn's work allows.
void take_magic(WorkerContext& ctx);
/// It becomes a tombstone: its entry stays, its inspection ends. It does not give way, and stays for as long
/// as its ends may believe in it.
void drop_session(WorkerContext& ctx, SessionIndex index);

/// The session as events name it. Names of things that are gone meanwhile are empty.
inspection::FlowInfo flow_info(const WorkerContext& ctx, SessionIndex index);

/// What has passed of the session until now.
inspection::FlowBody flow_so_far(const WorkerContext& ctx, SessionIndex index);

/// Where inspection puts a session's events: adds what it does not know, the session as it is now.
class SessionSink final : public inspection::EventSink {
 public:
  SessionSink(WorkerContext& ctx, SessionIndex index) : ctx_(ctx), index_(index) {}
  bool push(inspection::Event& event, std::span<const uint8_t> fields) override;

 private:
  WorkerContext& ctx_;
  SessionIndex index_;
};

/// A packet of a session that was dropped before is dropped: told, if each one is.
void log_dropped(WorkerContext& ctx, const PacketMeta& meta);

/// The packet is going to wait, and keeps the name of its session's use: indices are given out again.
inline void note_session_use(const WorkerContext& ctx, PacketMeta& meta) {
  meta.session_use = ctx.sessions->cold(meta.session).generation;
}
/// Of one that has waited: its session is there still.
inline bool is_session_there(const WorkerContext& ctx, const PacketMeta& meta) {
  return ctx.sessions->in_use(meta.session) &&
         ctx.sessions->cold(meta.session).generation == meta.session_use;
}

/// Takes the session out of all that has it: what is half open, inspection, bindings, the table. No event.
void forget_session(WorkerContext& ctx, SessionIndex index);

/// Writes the flow event if configured, then forget_session().
void end_session(WorkerContext& ctx, SessionIndex index, inspection::FlowEnd end);

/// Sets the session's timer for its time-out, or for the record before that.
void arm_session(WorkerContext& ctx, SessionIndex index);

/// Ends up to `budget` sessions whose time has come.
void expire_sessions(WorkerContext& ctx, uint32_t budget);

}  // namespace weir::dataplane
