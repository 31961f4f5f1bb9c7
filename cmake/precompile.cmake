# The headers that nearly every source reads, and those that several sources of a target name, read once a target. With clang, for all
# targets: with sanitizers that is half of what compiling takes. GCC loads a precompiled header whole, which takes it as long as reading a
# target's own headers did, and takes none where DPDK's flags name a header before it; so with GCC only the engine has the standard
# library's, and only in the release build, which is made whole.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND NOT (CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release"))
  return()
endif()

set(weir_common_headers
  <algorithm> <array> <bit> <chrono> <cstdint> <cstring> <functional> <map> <memory> <mutex> <optional> <set> <span>
  <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

# Into `result`: the headers of this tree that two of the files `sources`, in `folder`, name, and at least one in `few`. A file whose own
# names are in the way of what the others read has the property SKIP_PRECOMPILE_HEADERS.
function(weir_headers_in_common folder sources few result)
  set(all "")
  foreach(source ${sources})
    get_filename_component(source ${source} ABSOLUTE BASE_DIR ${folder})
    get_filename_component(beside ${source} DIRECTORY)
    file(STRINGS ${source} lines REGEX "^#include \".*\"$")
    foreach(line ${lines})
      string(REGEX REPLACE "^#include \"(.*)\"$" "\\1" name "${line}")
      if(EXISTS ${beside}/${name})
        set(name ${beside}/${name})
      else()
        set(name ${CMAKE_SOURCE_DIR}/${name})
      endif()
      list(APPEND all ${name})
      string(MD5 key ${name})
      math(EXPR times_${key} "0${times_${key}} + 1")
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES all)
  list(LENGTH sources count)
  set(common "")
  foreach(name ${all})
    string(MD5 key ${name})
    math(EXPR share "${few} * ${times_${key}}")
    if(times_${key} GREATER 1 AND share GREATER_EQUAL count)
      list(APPEND common ${name})
    endif()
  endforeach()
  set(${result} ${common} PARENT_SCOPE)
endfunction()

# Gives a target the common headers, and `own` ones.
function(weir_precompile_target target own)
  # In a file of their own, since CMake's is not made anew when the list has changed.
  list(TRANSFORM own REPLACE "(.+)" "#include \"\\1\"")
  list(JOIN own "\n" own)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompile/${target}_common.h CONTENT "#pragma once\n${own}\n" @ONLY)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/precompile)
  target_precompile_headers(${target} PRIVATE ${weir_common_headers} <${target}_common.h>)
endfunction()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  weir_precompile_target(weir_inspection "")
  return()
endif()

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
    set(few 10)
    if(type STREQUAL "EXECUTABLE")  # tests, whose names are shorter
      set(few 4)
    endif()
    weir_headers_in_common(${folder} "${sources}" ${few} common)
    weir_precompile_target(${target} "${common}")
    if(libraries MATCHES "GTest::gmock")
      target_precompile_headers(${target} PRIVATE <gmock/gmock.h>)
    endif()
    if(libraries MATCHES "GTest::")
      target_precompile_headers(${target} PRIVATE <gtest/gtest.h>)
    endif()
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # for ccache
  endforeach()
endfunction()
weir_precompile(${CMAKE_SOURCE_DIR})
