// Between bytes and real numbers in 0..1, as numpy computes them.
#ifndef RCJ_CORRUPTIONS_UNIT_H_
#define RCJ_CORRUPTIONS_UNIT_H_

#include <algorithm>
#include <cstdint>

namespace rcj {

// T is float or double; a float is the rounded double.
template <class T>
inline T Unit(uint8_t value) {
  return static_cast<T>(value / 255.0);
}

// Clipped to 0..1, times 255, truncated.
template <class T>
inline uint8_t Byte(T value) {
  const T clipped = std::min(std::max(value, T{0}), T{1});
  return static_cast<uint8_t>(static_cast<int32_t>(clipped * T{255}));
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_UNIT_H_
