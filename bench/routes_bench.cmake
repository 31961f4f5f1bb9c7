# DPDK's route tables are here to be compared with, so this benchmark needs EAL.
add_executable(weir_routes_bench ${CMAKE_CURRENT_SOURCE_DIR}/routes_bench.cpp)
target_link_libraries(weir_routes_bench PRIVATE weir_fib weir_bench_main weir_dpdk weir_flags)

add_executable(weir_route_churn ${CMAKE_CURRENT_SOURCE_DIR}/route_churn.cpp)
target_link_libraries(weir_route_churn PRIVATE weir_fib Threads::Threads weir_flags)
