// Numbers side by side in a register, wherever they lie in memory.
//
// The compiler splits them where registers are narrower. It makes plain loops
// parallel by itself, but neither sums that should stay in registers, nor the
// channels of a pixel.
#ifndef RCJ_CORRUPTIONS_QUAD_H_
#define RCJ_CORRUPTIONS_QUAD_H_

#include <cstdint>

namespace rcj {

typedef double Double4
    __attribute__((vector_size(32), aligned(8), may_alias));
typedef float Float4 __attribute__((vector_size(16), aligned(4), may_alias));

// Values that are summed side by side, in four registers.
constexpr int64_t kBlock = 16;

inline const Double4& Four(const double* from) {
  return *reinterpret_cast<const Double4*>(from);
}
inline Double4& Four(double* to) { return *reinterpret_cast<Double4*>(to); }
inline Float4& Four(float* to) { return *reinterpret_cast<Float4*>(to); }

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_QUAD_H_
