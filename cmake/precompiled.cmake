# Headers that nearly every file reads, parsed once for each set of flags: parsing is two thirds of a clean build.
# A file still includes what it uses; configure with -DFINSTILL_PRECOMPILED=OFF to see that it does.
option(FINSTILL_PRECOMPILED "Precompile the libraries' headers" ON)

set(FINSTILL_HEADERS_plain
  <algorithm> <filesystem> <functional> <map> <memory> <optional> <span> <string> <vector> <fmt/format.h> <nlohmann/json.hpp>)
set(FINSTILL_HEADERS_tensors ${FINSTILL_HEADERS_plain} <ATen/core/Tensor.h> <ATen/TensorOperators.h>)
set(FINSTILL_HEADERS_ops ${FINSTILL_HEADERS_tensors} <torch/csrc/autograd/custom_function.h>)
set(FINSTILL_HEADERS_tests ${FINSTILL_HEADERS_plain} <gtest/gtest.h>)
# Not ATen/TensorOperators.h: it brings all of at::, and names of ops (clone) would be ambiguous to tests that use both.
set(FINSTILL_HEADERS_tensor_tests ${FINSTILL_HEADERS_plain} <ATen/core/Tensor.h> <gtest/gtest.h>)

# finstill_precompile(target set libs...): the target's files begin with the headers of that set. The first target that
# asks makes them; `libs` are what its flags come from.
function(finstill_precompile target set)
  if(NOT FINSTILL_PRECOMPILED)
    return()
  endif()
  set(owner finstill_headers_${set})
  if(NOT TARGET ${owner})
    file(WRITE ${CMAKE_BINARY_DIR}/headers_${set}.cpp "")
    add_library(${owner} OBJECT ${CMAKE_BINARY_DIR}/headers_${set}.cpp)
    target_include_directories(${owner} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${owner} PRIVATE fmt::fmt nlohmann_json::nlohmann_json ${ARGN})
    get_target_property(definitions ${target} COMPILE_DEFINITIONS)
    if(definitions)
      target_compile_definitions(${owner} PRIVATE ${definitions})
    endif()
    target_precompile_headers(${owner} PRIVATE ${FINSTILL_HEADERS_${set}})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()
