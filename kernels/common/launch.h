// What handlers for GPUs need beside their kernels.
#ifndef RCJ_COMMON_LAUNCH_H_
#define RCJ_COMMON_LAUNCH_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/handlers.h"

namespace rcj {

// Memory for the time of a call; false if there is none.
template <class T>
bool Allocate(ffi::ScratchAllocator& scratch, int64_t count, T** memory) {
  const auto found =
      scratch.Allocate(std::max<int64_t>(count, 1) * sizeof(T), 256);
  if (found) *memory = static_cast<T*>(*found);
  return found.has_value();
}

// Whether the kernels of a call could be started.
inline ffi::Error Launched(const char* name) {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return ffi::Error::Success();
  return ffi::Error::Internal(std::string(name) + ": " +
                              cudaGetErrorString(error));
}

}  // namespace rcj

#endif  // RCJ_COMMON_LAUNCH_H_
