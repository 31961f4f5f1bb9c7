#include "dataplane/io/xdp/steer_object.h"

// libelf reads the object through a file, not from here, so alignment does not matter.
__asm__(
    ".pushsection .rodata.weir_steer_object, \"a\", @progbits\n"
    ".global weir_steer_object_begin\n"
    ".global weir_steer_object_end\n"
    "weir_steer_object_begin:\n"
    ".incbin \"" WEIR_STEER_OBJECT
    "\"\n"
    "weir_steer_object_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const std::byte weir_steer_object_begin[];
extern const std::byte weir_steer_object_end[];
}

namespace weir::dataplane {

std::span<const std::byte> steer_object() { return {weir_steer_object_begin, weir_steer_object_end}; }

}  // namespace weir::dataplane
