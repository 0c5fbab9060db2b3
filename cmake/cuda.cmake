# The GPU part of LibTorch. Compiles and links where a CUDA toolkit is present; running needs a GPU.
find_package(CUDAToolkit REQUIRED)
target_link_libraries(finstill_torch INTERFACE
  ${FINSTILL_TORCH}/lib/libtorch_cuda.so ${FINSTILL_TORCH}/lib/libc10_cuda.so CUDA::cudart)
# --no-as-needed: nothing names a symbol of libtorch_cuda, its kernels register themselves on loading.
target_link_options(finstill_torch INTERFACE -Wl,--no-as-needed)
target_compile_definitions(finstill_torch INTERFACE FINSTILL_CUDA=1)
