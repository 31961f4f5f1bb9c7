#include "pktgen-scripts/kernel/feed_object.h"

// libelf reads the object through a file, not from here, so alignment does not matter.
__asm__(
    ".pushsection .rodata.weir_feed_object, \"a\", @progbits\n"
    ".global weir_feed_object_begin\n"
    ".global weir_feed_object_end\n"
    "weir_feed_object_begin:\n"
    ".incbin \"" WEIR_FEED_OBJECT
    "\"\n"
    "weir_feed_object_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const std::byte weir_feed_object_begin[];
extern const std::byte weir_feed_object_end[];
}

namespace weir::feed {

std::span<const std::byte> feed_object() { return {weir_feed_object_begin, weir_feed_object_end}; }

}  // namespace weir::feed
