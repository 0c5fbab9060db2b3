# LibTorch from the unpacked PyPI wheel, linked through imported targets of our own: find_package(Torch) would insist
# on a CUDA toolkit even for a CPU build. FINSTILL_TORCH names the folder that holds include/ and lib/.
# The environment's word counts in a folder that was configured before, too.
if(DEFINED ENV{FINSTILL_TORCH})
  set(FINSTILL_TORCH "$ENV{FINSTILL_TORCH}" CACHE PATH "LibTorch: the folder with include/ and lib/" FORCE)
endif()
if(NOT FINSTILL_TORCH)
  set(FINSTILL_TORCH ${CMAKE_SOURCE_DIR}/.deps/python/torch)
endif()

add_library(finstill_torch INTERFACE)
if(EXISTS ${FINSTILL_TORCH}/lib/libtorch_cpu.so)
  # The wheel carries another version of fmt's headers than the fmt that we link: ours must be found first.
  find_path(FINSTILL_FMT_INCLUDE fmt/format.h REQUIRED)
  set(first_include ${CMAKE_SOURCE_DIR}/.deps/include)
  file(MAKE_DIRECTORY ${first_include})
  file(CREATE_LINK ${FINSTILL_FMT_INCLUDE}/fmt ${first_include}/fmt SYMBOLIC)
  target_include_directories(finstill_torch SYSTEM INTERFACE
    ${first_include} ${FINSTILL_TORCH}/include ${FINSTILL_TORCH}/include/torch/csrc/api/include)
  file(GLOB FINSTILL_GOMP ${FINSTILL_TORCH}/lib/libgomp*.so*)
  target_link_libraries(finstill_torch INTERFACE
    ${FINSTILL_TORCH}/lib/libtorch_cpu.so ${FINSTILL_TORCH}/lib/libc10.so)
  # at::parallel_for is a template: it runs on one thread unless our own files are compiled with OpenMP. The wheel's
  # libgomp is linked by path, so that one copy of it is mapped.
  # libgomp serves GCC's code alone: the fuzz build, which is Clang's, runs on one thread.
  target_compile_options(finstill_torch INTERFACE $<IF:$<BOOL:${FINSTILL_FUZZ}>,-fopenmp-simd,-fopenmp>)
  if(FINSTILL_GOMP)
    list(GET FINSTILL_GOMP 0 FINSTILL_GOMP)
    target_link_libraries(finstill_torch INTERFACE ${FINSTILL_GOMP})
  else()
    target_link_libraries(finstill_torch INTERFACE gomp)
  endif()
  target_link_options(finstill_torch INTERFACE -Wl,--allow-shlib-undefined -Wl,-rpath,${FINSTILL_TORCH}/lib)
  set(FINSTILL_HAVE_TORCH ON)
  if(FINSTILL_CUDA)
    include(cuda)
  endif()
else()
  message(WARNING "LibTorch not found at ${FINSTILL_TORCH}: only the tensor-free modules are built (run scripts/setup.sh)")
  set(FINSTILL_HAVE_TORCH OFF)
endif()
