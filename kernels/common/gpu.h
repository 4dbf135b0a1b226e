// Code that a GPU runs and that the host can run too, to be tested there.
#ifndef RCJ_COMMON_GPU_H_
#define RCJ_COMMON_GPU_H_

#include <cstdint>

#ifdef __CUDACC__
#define RCJ_BOTH __host__ __device__ __forceinline__
#else
#define RCJ_BOTH inline
#endif

namespace rcj {

// Threads of a block; kernels are written for this number.
constexpr int kBlock = 256;

// *to += by, also if other threads do the same.
template <class T>
RCJ_BOTH void Add(T* to, T by) {
#ifdef __CUDA_ARCH__
  atomicAdd(to, by);
#else
  *to += by;
#endif
}

}  // namespace rcj

#endif  // RCJ_COMMON_GPU_H_
