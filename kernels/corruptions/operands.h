// Operands of kernels that are numbers.
#ifndef RCJ_CORRUPTIONS_OPERANDS_H_
#define RCJ_CORRUPTIONS_OPERANDS_H_

#include <cstdint>
#include <string>

#include "common/handlers.h"

namespace rcj {

using Integer = ffi::BufferR0<ffi::S32>;
using Real = ffi::BufferR0<ffi::F64>;
using Reals = ffi::BufferR1<ffi::F64>;

template <class Scalar>
auto Value(const Scalar& operand) {
  return *operand.typed_data();
}

// The error of a number that is not in least..most, as far as it is not.
inline ffi::Error CheckRange(const char* name, const char* what,
                             const Integer& number, int64_t least,
                             int64_t most) {
  const int64_t found = Value(number);
  if (least <= found && found <= most) return ffi::Error::Success();
  return ffi::Error::InvalidArgument(
      std::string(name) + ": " + what + " must be " + std::to_string(least) +
      " to " + std::to_string(most) + ", got " + std::to_string(found));
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_OPERANDS_H_
