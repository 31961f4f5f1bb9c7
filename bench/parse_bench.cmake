add_executable(weir_parse_bench ${CMAKE_CURRENT_SOURCE_DIR}/parse_bench.cpp)
target_link_libraries(weir_parse_bench PRIVATE weir_net benchmark::benchmark_main weir_flags)
