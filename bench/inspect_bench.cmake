# What the inspection row is made of is a library, so that unit tests reach it. libcrypto comes with DPDK's headers.
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
set(digest_file ${CMAKE_CURRENT_SOURCE_DIR}/reference_literals.digest)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${digest_file})
file(STRINGS ${digest_file} reference_digest LIMIT_COUNT 1)
add_library(weir_bench_inspection STATIC
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/corpus.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/engine_sessions.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/http_answers.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/http_requests.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/http_traffic.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/reference_database.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/inspection/reference_literals.cpp)
target_compile_definitions(weir_bench_inspection PRIVATE WEIR_REFERENCE_DIGEST="${reference_digest}")
target_link_libraries(weir_bench_inspection PUBLIC weir_inspection PRIVATE OpenSSL::Crypto weir_flags)

add_executable(weir_inspect_bench ${CMAKE_CURRENT_SOURCE_DIR}/inspect_bench.cpp)
target_link_libraries(weir_inspect_bench PRIVATE weir_bench_inspection weir_bench_main weir_flags)
