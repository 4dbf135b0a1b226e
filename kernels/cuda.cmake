# rcj_cuda.so of all kernels in */*.cu. It needs nothing but the driver at run
# time. A CUDA compiler that cannot build it leaves the CPU kernels as they are.

enable_language(CUDA)

# Machine code for Hopper; what the driver compiles for other GPUs. Products are
# rounded before they are added, as in the reference. Hidden symbols and the
# runtime inside, so that no other CUDA library of the process is met.
set(RCJ_CUDA_ARCHITECTURES 80-virtual 90-real CACHE STRING
    "as CMAKE_CUDA_ARCHITECTURES")
set(cuda_flags -fmad=false)

# Whether this compiler takes the headers, the flags and the architectures.
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/probe.cu" "
#include <cuda_runtime.h>
#include \"xla/ffi/api/ffi.h\"
__global__ void Kernel(const __grid_constant__ int value) {}
int main() { Kernel<<<1, 1>>>(XLA_FFI_API_MINOR); }
")
try_compile(RCJ_CUDA_WORKS "${CMAKE_CURRENT_BINARY_DIR}/probe"
  SOURCES "${CMAKE_CURRENT_BINARY_DIR}/probe.cu"
  CMAKE_FLAGS
    "-DINCLUDE_DIRECTORIES=${RCJ_FFI_INCLUDE}"
    "-DCMAKE_CUDA_ARCHITECTURES=${RCJ_CUDA_ARCHITECTURES}"
  COMPILE_DEFINITIONS ${cuda_flags}
  OUTPUT_VARIABLE probe
  CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
if(NOT RCJ_CUDA_WORKS)
  string(REGEX MATCH "[^\n]*(error|fatal|unsupported)[^\n]*" reason "${probe}")
  message(STATUS "rcj: no CUDA kernels: ${CMAKE_CUDA_COMPILER}: ${reason}")
  return()
endif()

add_library(rcj_cuda MODULE ${cuda_sources} common/library.cc)
set_target_properties(rcj_cuda PROPERTIES
  PREFIX "" SUFFIX ".so"
  CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_VISIBILITY_PRESET hidden
  CUDA_ARCHITECTURES "${RCJ_CUDA_ARCHITECTURES}"
  CUDA_RUNTIME_LIBRARY Static)
target_include_directories(rcj_cuda PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_include_directories(rcj_cuda SYSTEM PRIVATE "${RCJ_FFI_INCLUDE}")
target_compile_options(rcj_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:${cuda_flags}>)
target_link_options(rcj_cuda PRIVATE -static-libgcc -static-libstdc++ -s)
install(TARGETS rcj_cuda LIBRARY DESTINATION rcj/lib)
