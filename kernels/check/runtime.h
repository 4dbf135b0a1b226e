// As much of XLA's runtime as handlers of the CPU need: errors and a pool.
#ifndef RCJ_CHECK_RUNTIME_H_
#define RCJ_CHECK_RUNTIME_H_

#include <string>

#include "xla/ffi/api/c_api.h"

// What the API hides from handlers.
struct XLA_FFI_Error {
  XLA_FFI_Error_Code code;
  std::string text;
};

namespace rcj::check {

// What handlers may ask of the runtime, whose pool has that many threads; they
// are as long as the process.
const XLA_FFI_Api& Runtime(int threads);

}  // namespace rcj::check

#endif  // RCJ_CHECK_RUNTIME_H_
