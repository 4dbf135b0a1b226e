// rcj_corrupt_{gaussian,speckle,impulse}_noise.
#include "corruptions/image.h"

namespace rcj {
namespace {

using Field = ffi::BufferR4<ffi::F32>;
using Flags = ffi::BufferR4<ffi::PRED>;
using Scalar = ffi::BufferR0<ffi::F32>;

// Corrupts value by value: value(pixel, noise) is not yet clipped.
template <class Value>
ffi::Error WithNormal(ffi::ThreadPool& pool, const Images& images,
                      CorruptedImages& out, const Field& normal,
                      const char* name, const Value& value) {
  if (!Fits(normal, images, 4)) {
    return Misfit(name, "normal[N,H,W,3]", normal, images);
  }
  const int64_t size = ImageSize(images);
  const auto body = [&](int64_t i, const uint8_t* __restrict image,
                        uint8_t* __restrict corrupted) {
    const float* __restrict noise = normal.typed_data() + i * size;
    for (int64_t j = 0; j < size; ++j) {
      corrupted[j] = Truncated(value(static_cast<float>(image[j]), noise[j]));
    }
  };
  return ForImages(pool, images, out, name, body);
}

ffi::Error Gaussian(ffi::ThreadPool pool, Images images, CorruptedImages out,
                    Field normal, Scalar scale) {
  const float factor = 255 * scale.typed_data()[0];
  return WithNormal(
      pool, images, out, normal, "gaussian_noise",
      [=](float pixel, float noise) { return pixel + factor * noise; });
}

ffi::Error Speckle(ffi::ThreadPool pool, Images images, CorruptedImages out,
                   Field normal, Scalar scale) {
  const float factor = scale.typed_data()[0];
  return WithNormal(
      pool, images, out, normal, "speckle_noise",
      [=](float pixel, float noise) { return pixel * (1 + factor * noise); });
}

ffi::Error Impulse(ffi::ThreadPool pool, Images images, CorruptedImages out,
                   Flags flipped, Flags salted, Scalar) {
  if (!Fits(flipped, images, 4)) {
    return Misfit("impulse_noise", "flipped[N,H,W,3]", flipped, images);
  }
  if (!Fits(salted, images, 4)) {
    return Misfit("impulse_noise", "salted[N,H,W,3]", salted, images);
  }
  const int64_t size = ImageSize(images);
  const auto body = [&](int64_t i, const uint8_t* __restrict image,
                        uint8_t* __restrict corrupted) {
    const bool* __restrict replace = flipped.typed_data() + i * size;
    const bool* __restrict white = salted.typed_data() + i * size;
    for (int64_t j = 0; j < size; ++j) {
      const uint8_t mask = -static_cast<uint8_t>(replace[j]);
      const uint8_t extreme = -static_cast<uint8_t>(white[j]);
      corrupted[j] = (image[j] & ~mask) | (extreme & mask);
    }
  };
  return ForImages(pool, images, out, "impulse_noise", body);
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_gaussian_noise, rcj::Gaussian,
            rcj::CorruptionHandler().Arg<rcj::Field>().Arg<rcj::Scalar>());

RCJ_HANDLER(corrupt_speckle_noise, rcj::Speckle,
            rcj::CorruptionHandler().Arg<rcj::Field>().Arg<rcj::Scalar>());

RCJ_HANDLER(corrupt_impulse_noise, rcj::Impulse,
            rcj::CorruptionHandler()
                .Arg<rcj::Flags>()
                .Arg<rcj::Flags>()
                .Arg<rcj::Scalar>());
