# The headers that nearly every source reads, read once a target. Clang alone: with sanitizers that is a third of what a test or a small
# file takes it. GCC loads a precompiled header whole, which takes it as long as reading the headers did.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  return()
endif()

set(weir_common_headers
  <algorithm> <array> <bit> <chrono> <cstdint> <cstring> <functional> <map> <memory> <mutex> <optional> <set> <span>
  <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

function(weir_precompile folder)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner ${folders})
    weir_precompile(${inner})
  endforeach()
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(NOT type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$")
      continue()
    endif()
    get_target_property(sources ${target} SOURCES)
    list(FILTER sources INCLUDE REGEX "\\.cpp$")
    list(LENGTH sources count)
    if(count LESS 4)  # reading the headers for all of them takes as long
      continue()
    endif()
    get_target_property(libraries ${target} LINK_LIBRARIES)
    set(headers ${weir_common_headers})
    if(libraries MATCHES "GTest::gmock")
      list(APPEND headers <gmock/gmock.h>)
    endif()
    if(libraries MATCHES "GTest::")
      list(APPEND headers <gtest/gtest.h>)
    endif()
    target_precompile_headers(${target} PRIVATE ${headers})
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # for ccache
  endforeach()
endfunction()
weir_precompile(${CMAKE_SOURCE_DIR})
