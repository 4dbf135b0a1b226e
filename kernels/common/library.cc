// What a library says of itself before it is used.
#include "common/export.h"
#include "xla/ffi/api/c_api.h"

RCJ_EXPORT int rcj_ffi_api_minor() { return XLA_FFI_API_MINOR; }

// The fastest of the libraries that this processor and system can run.
RCJ_EXPORT const char* rcj_processor() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi2");
  if (v3 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return "avx512";
  }
  if (v3) return "avx2";
#endif
  return "scalar";
}
