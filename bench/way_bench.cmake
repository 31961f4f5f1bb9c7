# Built on the packet tests' harness.
if(TARGET weir_packet_support)
  add_executable(weir_way_bench ${CMAKE_CURRENT_SOURCE_DIR}/way_bench.cpp
                                ${CMAKE_CURRENT_SOURCE_DIR}/way_lines.cpp
                                ${CMAKE_CURRENT_SOURCE_DIR}/way_others.cpp
                                ${CMAKE_CURRENT_SOURCE_DIR}/way_sessions.cpp
                                ${CMAKE_CURRENT_SOURCE_DIR}/way_together.cpp)
  target_link_libraries(weir_way_bench PRIVATE weir_packet_support weir_bench_main weir_flags)
endif()
