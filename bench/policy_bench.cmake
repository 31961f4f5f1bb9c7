# DPDK's classifier is here to be compared with, so this benchmark needs EAL.
add_executable(weir_policy_bench ${CMAKE_CURRENT_SOURCE_DIR}/policy_bench.cpp)
target_link_libraries(weir_policy_bench PRIVATE weir_policy weir_session weir_bench_main weir_dpdk weir_flags)
