// Borders that reflect.
#ifndef RCJ_CORRUPTIONS_MIRROR_H_
#define RCJ_CORRUPTIONS_MIRROR_H_

#include <algorithm>
#include <cstdint>

namespace rcj {

// Any index to one in 0..size-1, without repeating the outermost pixel.
inline int64_t Mirrored(int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  if (size == 1) return 0;
  const int64_t period = 2 * size - 2;
  index = (index % period + period) % period;
  return std::min(index, period - index);
}

// The outermost pixel repeated.
inline int64_t Repeated(int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  const int64_t period = 2 * size;
  index = (index % period + period) % period;
  return std::min(index, period - 1 - index);
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_MIRROR_H_
