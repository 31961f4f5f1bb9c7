// One parsed rule -> one rule for matching: its kind, its checks sorted by what they ask, its scope.
#pragma once

#include "inspection/compile/detection_rule.h"
#include "inspection/compile/flowbit_names.h"
#include "inspection/compile/transform_chains.h"
#include "inspection/compile/value_sets.h"

namespace weir::inspection {

struct RuleCompileContext {
  const ast::ParsedRuleset& parsed;
  FlowBitNames& flowbits;
  TransformChains& chains;
  PcreCodes& expressions;
  ValueSets& sets;
  std::vector<SavedSet>& saved;
};

/// Takes the texts, contents and expressions that `rule` has; its numbers, and the sets that it names, stay.
/// The error is a sentence: what the rule needs that is not evaluated, or why it can never match. Its fast
/// pattern is not chosen yet.
Result<DetectionRule> compile_rule(ast::Rule& rule, RuleCompileContext& context);

/// It asks for a file that has a name.
bool is_of_file(const BufferPart& part);
/// It asks for a file that has a size or a checksum, whichever of several it is.
bool is_of_file(const PacketCheck& check);
/// Buffers of the packet itself: `ip.src`, `tcp.hdr`, ...
bool is_packet_buffer(BufferId buffer);

}  // namespace weir::inspection
