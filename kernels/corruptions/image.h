// What the kernels of corruptions share: batches of images.
#ifndef RCJ_CORRUPTIONS_IMAGE_H_
#define RCJ_CORRUPTIONS_IMAGE_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/handlers.h"

namespace rcj {

using Images = ffi::BufferR4<ffi::U8>;
using CorruptedImages = ffi::ResultBufferR4<ffi::U8>;

// The binding of a handler f(pool, images, corrupted, ...): fields and prepared
// parameters follow with .Arg<>, as rcj/ops/corruptions.py orders them.
inline auto CorruptionHandler() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .Arg<Images>()
      .Ret<ffi::BufferR4<ffi::U8>>();
}

inline int64_t ImageSize(const Images& images) {
  const auto shape = images.dimensions();
  return shape[1] * shape[2] * shape[3];
}

// Whether a field begins with the first `rank` dimensions of the images.
template <class Field>
bool Fits(const Field& field, const Images& images, size_t rank) {
  const auto found = field.dimensions(), wanted = images.dimensions();
  if (found.size() < rank) return false;
  for (size_t i = 0; i < rank; ++i) {
    if (found[i] != wanted[i]) return false;
  }
  return true;
}

// A value as the benchmark stores it: clipped to 0..255, then truncated.
template <class Real>
uint8_t Truncated(Real value) {
  return static_cast<uint8_t>(static_cast<int32_t>(
      std::min<Real>(std::max<Real>(value, 0), 255)));
}

// Calls body(i, image, corrupted) for every image of [N,H,W,3], in parallel.
template <class Body>
ffi::Error ForImages(ffi::ThreadPool& pool, const Images& images,
                     CorruptedImages& out, const char* name,
                     const Body& body) {
  const auto shape = images.dimensions();
  if (shape[3] != 3 || !Fits(*out, images, 4)) {
    return ffi::Error::InvalidArgument(
        std::string(name) +
        ": images and result must be u8[N,H,W,3] of one shape, got " +
        Shape(images) + " and " + Shape(*out));
  }
  const int64_t size = ImageSize(images);
  if (size == 0) return ffi::Error::Success();
  ParallelFor(pool, shape[0], [&](int64_t i) {
    body(i, images.typed_data() + i * size, out->typed_data() + i * size);
  });
  return ffi::Error::Success();
}

// The error of a field that does not fit the images.
template <class Field>
ffi::Error Misfit(const char* name, const char* wanted, const Field& field,
                  const Images& images) {
  return ffi::Error::InvalidArgument(std::string(name) + ": images " +
                                     Shape(images) + " need " + wanted +
                                     ", got " + Shape(field));
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_IMAGE_H_
