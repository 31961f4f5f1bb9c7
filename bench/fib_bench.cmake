# DPDK's route tables are here to be compared with, so this benchmark alone needs EAL.
add_executable(weir_fib_bench ${CMAKE_CURRENT_SOURCE_DIR}/fib_bench.cpp)
target_link_libraries(weir_fib_bench PRIVATE weir_fib weir_tunnel benchmark::benchmark weir_dpdk weir_flags)
