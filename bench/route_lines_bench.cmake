# Reading a routes file of a million lines.
add_executable(weir_route_lines_bench ${CMAKE_CURRENT_SOURCE_DIR}/route_lines_bench.cpp)
target_link_libraries(weir_route_lines_bench PRIVATE weir_config weir_bench_main weir_flags)
