// The arrays of a call, and their masks.
#ifndef RCJ_SELECT_LEAVES_H_
#define RCJ_SELECT_LEAVES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/handlers.h"

namespace rcj {

struct Leaf {
  const float* values;
  bool* marks;
  int64_t count;
};

inline ffi::Error ReadLeaves(const ffi::BufferR1<ffi::S32>& k,
                             const ffi::RemainingArgs& arrays,
                             const ffi::RemainingRets& masks,
                             std::vector<Leaf>& leaves) {
  const size_t groups = k.element_count();
  if (arrays.size() != masks.size() ||
      (groups != 1 && groups != arrays.size())) {
    return ffi::Error::InvalidArgument(
        "select: there must be one count or one per array, and a mask per "
        "array, got counts " + Shape(k) + ", " + std::to_string(arrays.size()) +
        " arrays and " + std::to_string(masks.size()) + " masks");
  }
  for (size_t i = 0; i < arrays.size(); ++i) {
    const auto array = arrays.get<ffi::Buffer<ffi::F32>>(i);
    auto mask = masks.get<ffi::Buffer<ffi::PRED>>(i);
    if (!array || !mask ||
        array->element_count() != (*mask)->element_count()) {
      return ffi::Error::InvalidArgument(
          "select: arrays must be f32 and masks bool, of the same shapes; not "
          "so number " + std::to_string(i));
    }
    leaves.push_back({array->typed_data(), (*mask)->typed_data(),
                      static_cast<int64_t>(array->element_count())});
  }
  return ffi::Error::Success();
}

}  // namespace rcj

#endif  // RCJ_SELECT_LEAVES_H_
