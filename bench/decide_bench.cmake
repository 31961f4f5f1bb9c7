add_executable(weir_decide_bench ${CMAKE_CURRENT_SOURCE_DIR}/decide_bench.cpp)
target_link_libraries(weir_decide_bench PRIVATE weir_decide benchmark::benchmark_main weir_flags)
