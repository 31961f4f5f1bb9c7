# Compiler settings that hold for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# -O2: -O3 makes the control plane slower to build and no faster; the data plane's library asks for -O3 itself.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
find_program(CCACHE ccache)
if(CCACHE)
  # What it has to overlook to know precompiled headers again; and a copy of the tree is the same tree.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_IGNOREOPTIONS=--param=ggc-min-heapsize=* ${CCACHE})
endif()

# One interface target carries the flags; every library links it last, so that our -march wins over the
# -march=corei7 that DPDK's pkg-config file contains.
add_library(weir_flags INTERFACE)
target_include_directories(weir_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(weir_flags INTERFACE -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion
                                            -march=x86-64-v3 -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms in std::string and std::optional when optimising (GCC bugs 105329, 105562).
  target_compile_options(weir_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC looks for what it may forget once it has taken a gigabyte, not eight times before: a tenth of the time.
  add_compile_options(--param=ggc-min-heapsize=1048576)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Conditions of which each nearly always holds are or-ed on purpose: no branch is cheaper than a predicted one.
  target_compile_options(weir_flags INTERFACE -Wno-bitwise-instead-of-logical)
  # A fifth of the time, and there are seventy programs.
  add_link_options(-fuse-ld=lld)
endif()
if(WEIR_SANITIZE)
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
  if(WEIR_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # DPDK's headers use stand-alone fences, which TSan does not model; what they order is reported or not, never hidden.
    add_compile_options(-Wno-tsan)
  endif()
endif()
