// What both handlers take: for each of R rows, K numbers of rows of a table.
#ifndef RCJ_GATHER_OPERANDS_H_
#define RCJ_GATHER_OPERANDS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "common/handlers.h"

namespace rcj {

struct Operands {
  const ffi::AnyBuffer& table;              // [M,D] f32 or bf16
  const ffi::BufferR2<ffi::S32>& numbers;   // [R,K]
  const ffi::BufferR2<ffi::F32>& features;  // [R,D]
  const ffi::BufferR2<ffi::F32>& scores;    // [R,K]

  int64_t M() const { return table.dimensions()[0]; }
  int64_t D() const { return table.dimensions()[1]; }
  int64_t R() const { return numbers.dimensions()[0]; }
  int64_t K() const { return numbers.dimensions()[1]; }
  bool Brief() const { return table.element_type() == ffi::BF16; }

  ffi::Error Check(const char* name) const {
    const auto type = table.element_type();
    if (table.dimensions().size() == 2 &&
        (type == ffi::F32 || type == ffi::BF16) && M() > 0 &&
        features.dimensions()[0] == R() && features.dimensions()[1] == D() &&
        scores.dimensions()[0] == R() && scores.dimensions()[1] == K()) {
      return ffi::Error::Success();
    }
    return ffi::Error::InvalidArgument(
        std::string(name) +
        ": expected a table [M,D] of f32 or bf16 with M > 0, numbers [R,K], "
        "features [R,D] and scores [R,K], got " + Shape(table) + ", " +
        Shape(numbers) + ", " + Shape(features) + " and " + Shape(scores));
  }
};

// Adds operands and result of both handlers to a binding.
template <class Binding>
auto BindGather(Binding&& binding) {
  return std::forward<Binding>(binding)
      .template Arg<ffi::BufferR2<ffi::F32>>()
      .template Arg<ffi::AnyBuffer>()
      .template Arg<ffi::BufferR2<ffi::S32>>()
      .template Ret<ffi::BufferR2<ffi::F32>>();
}

}  // namespace rcj

#endif  // RCJ_GATHER_OPERANDS_H_
