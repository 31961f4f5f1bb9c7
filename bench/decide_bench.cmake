# The tests' snapshot builder makes what is decided on.
if(TARGET weir_test_support)
  add_executable(weir_decide_bench ${CMAKE_CURRENT_SOURCE_DIR}/decide_bench.cpp)
  target_link_libraries(weir_decide_bench PRIVATE weir_test_support weir_decide weir_bench_main weir_flags)
endif()
