// Pieces of FFI handlers: a handler checks shapes, then calls a kernel.
#ifndef RCJ_COMMON_HANDLERS_H_
#define RCJ_COMMON_HANDLERS_H_

#include <string>

#include "common/export.h"
#include "common/parallel.h"
#include "xla/ffi/api/ffi.h"

namespace rcj {

namespace ffi = xla::ffi;

template <class Buffer>
std::string Shape(const Buffer& buffer) {
  std::string text = "[";
  for (int64_t size : buffer.dimensions()) {
    if (text.size() > 1) text += ",";
    text += std::to_string(size);
  }
  return text + "]";
}

}  // namespace rcj

// Defines the handler rcj_NAME of `function` and exports it; a binding follows,
// and traits if it has any.
#define RCJ_HANDLER(name, function, ...)                    \
  RCJ_EXPORT XLA_FFI_Error* rcj_##name(XLA_FFI_CallFrame*); \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(rcj_##name, function, __VA_ARGS__)

#endif  // RCJ_COMMON_HANDLERS_H_
