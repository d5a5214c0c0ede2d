# Tests of CUDA kernels and of the emulated device: the kernels are compiled as C++ and executed on
# the host.
add_subdirectory(emu)
add_subdirectory(emu/ptx)
add_subdirectory(emu/bad)
add_subdirectory(conform)

bench_test(cuda_naive SOURCES unit/cuda_naive.c LABELS unit emu)
target_link_libraries(test_cuda_naive PRIVATE bench_emu_device)
# bench_kernel_test(SOURCE FAMILY VARIANT): a test of what one kernel does beside its result.
function(bench_kernel_test source family variant)
  set(name ${source}_${family}_${variant})
  bench_test(${name} SOURCES unit/${source}.c LABELS unit emu)
  target_link_libraries(test_${name} PRIVATE bench_emu_device)
  target_compile_definitions(test_${name} PRIVATE
    TESTED_KERNEL=bench_kernel_cuda_${family}_${variant})
endfunction()
bench_kernel_test(fused_stats flash sm80)
bench_kernel_test(fused_stats flash sm90)
bench_kernel_test(fused_stats sparse sm90)
target_compile_definitions(test_fused_stats_sparse_sm90 PRIVATE REFERENCE_BLOCK=64)
bench_kernel_test(cuda_blocks sparse sm80)
bench_kernel_test(cuda_blocks sparse sm90)
bench_emu_object(cublas_host ${PROJECT_SOURCE_DIR}/kernels/peers/cublas.cu cublas
  "75 80 90" BLAS_WORKSPACE_BYTES=40000)
bench_test(cublas SOURCES unit/cublas.c ${PROJECT_SOURCE_DIR}/harness/backends/cublas.c
  $<TARGET_OBJECTS:cublas_host> LABELS unit emu)
target_link_libraries(test_cublas PRIVATE bench_emu_runtime)

# The library that test_cublas opens, and one by that name that has nothing of it.
add_library(fake_cublas SHARED unit/fake_cublas.c)
add_library(empty_cublas SHARED ../src/status.c)
foreach(fake fake_cublas empty_cublas)
  target_link_libraries(${fake} PRIVATE bench_core)
  set_target_properties(${fake} PROPERTIES OUTPUT_NAME cublas SUFFIX .so.13
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${fake})
  add_dependencies(test_cublas ${fake})
endforeach()
add_test(NAME cublas_lacking COMMAND test_cublas lacking)
set_tests_properties(cublas_lacking PROPERTIES LABELS "unit;emu")
foreach(pair cublas:fake_cublas cublas_lacking:empty_cublas)
  string(REGEX MATCH "^[a-z_]+" test ${pair})
  string(REGEX MATCH "[a-z_]+$" fake ${pair})
  set_tests_properties(${test} PROPERTIES
    ENVIRONMENT LD_LIBRARY_PATH=${CMAKE_CURRENT_BINARY_DIR}/${fake})
endforeach()

# The emulated device behind the program, and the steps of ci/gpu on it.
bench_test(emu SOURCES e2e/emu.c LABELS e2e emu)
add_dependencies(test_emu bench_emu)
target_link_libraries(test_emu PRIVATE test_run_bench)
set(rehearsal ${CMAKE_CURRENT_BINARY_DIR}/rehearsal)
add_test(NAME gpu_rehearsal COMMAND sh -c
  "rm -rf ${rehearsal}; ${PROJECT_SOURCE_DIR}/ci/gpu --rehearse ${rehearsal} && tar -tzf ${rehearsal}.tar.gz | grep sanitize/sweep.csv && grep '^sparse .* stub/right' ${rehearsal}/ratios.log")
set_tests_properties(gpu_rehearsal PROPERTIES LABELS emu TIMEOUT 600
  ENVIRONMENT BENCH=$<TARGET_FILE:bench>)
add_dependencies(tests_emu bench bench_emu peer_stub)
