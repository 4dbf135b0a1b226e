// rcj_corrupt_{brightness,saturate}: through HSV, by the steps of the reference.
#include <array>

#include "corruptions/image.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Scalar = ffi::BufferR0<ffi::F64>;

constexpr int kPixels = 64;
using Plane = double[kPixels];

// Division is slow, and each of these is needed hundreds of times.
constexpr std::array<double, 256> Units() {
  std::array<double, 256> units{};
  for (int i = 0; i < 256; ++i) units[i] = i / 255.0;
  return units;
}
constexpr std::array<double, 256> kUnits = Units();

struct Hsv {
  double hue, saturation, value;
};

inline Hsv ToHsv(double red, double green, double blue) {
  const double value = std::max(std::max(red, green), blue);
  const double spread = value - std::min(std::min(red, green), blue);
  const double divisor = spread == 0 ? 1 : spread;
  double difference = green - blue, start = 0;
  difference = green == value ? blue - red : difference;
  start = green == value ? 2 : start;
  difference = blue == value ? red - green : difference;
  start = blue == value ? 4 : start;
  const double hue = (start + difference / divisor) / 6;
  const double wrapped = hue < 0 ? hue + 1 : hue;
  return {spread == 0 ? 0 : wrapped, spread / (value == 0 ? 1 : value), value};
}

inline void ToRgb(const Hsv& hsv, double* red, double* green, double* blue) {
  const double value = hsv.value, sixths = hsv.hue * 6;
  const double sector = static_cast<double>(static_cast<int32_t>(sixths));
  const double way = sixths - sector;
  const double p = value * (1 - hsv.saturation);
  const double q = value * (1 - way * hsv.saturation);
  const double t = value * (1 - (1 - way) * hsv.saturation);
  // The three values of each pair of sectors, and what they are in the odd one.
  double r = value, g = t, b = p;
  r = sector == 1 ? q : r, g = sector == 1 ? value : g;
  r = sector == 2 ? p : r, g = sector == 2 ? value : g, b = sector == 2 ? t : b;
  r = sector == 3 ? p : r, g = sector == 3 ? q : g, b = sector == 3 ? value : b;
  r = sector == 4 ? t : r, g = sector == 4 ? p : g, b = sector == 4 ? value : b;
  g = sector == 5 ? p : g, b = sector == 5 ? q : b;
  *red = r, *green = g, *blue = b;
}

// Changes every pixel by change(Hsv) -> Hsv.
template <class Change>
ffi::Error ThroughHsv(ffi::ThreadPool& pool, const Images& images,
                      CorruptedImages& out, const char* name,
                      const Change& change) {
  const int64_t pixels = ImageSize(images) / 3;
  const auto body = [&](int64_t, const uint8_t* image, uint8_t* corrupted) {
    Plane red = {}, green = {}, blue = {};
    for (int64_t at = 0; at < pixels; at += kPixels) {
      const int count = std::min<int64_t>(kPixels, pixels - at);
      for (int i = 0; i < count; ++i) {
        const uint8_t* pixel = image + 3 * (at + i);
        red[i] = kUnits[pixel[0]];
        green[i] = kUnits[pixel[1]];
        blue[i] = kUnits[pixel[2]];
      }
      for (int i = 0; i < kPixels; ++i) {
        const Hsv hsv = change(ToHsv(red[i], green[i], blue[i]));
        ToRgb(hsv, &red[i], &green[i], &blue[i]);
      }
      for (int i = 0; i < count; ++i) {
        uint8_t* pixel = corrupted + 3 * (at + i);
        pixel[0] = Byte(red[i]);
        pixel[1] = Byte(green[i]);
        pixel[2] = Byte(blue[i]);
      }
    }
  };
  return ForImages(pool, images, out, name, body);
}

inline double Clipped(double value) {
  return std::min(std::max(value, 0.0), 1.0);
}

ffi::Error Brightness(ffi::ThreadPool pool, Images images, CorruptedImages out,
                      Scalar amount) {
  const double added = amount.typed_data()[0];
  return ThroughHsv(pool, images, out, "brightness", [=](Hsv hsv) {
    hsv.value = Clipped(hsv.value + added);
    return hsv;
  });
}

ffi::Error Saturate(ffi::ThreadPool pool, Images images, CorruptedImages out,
                    Scalar factor, Scalar shift) {
  const double scale = factor.typed_data()[0], added = shift.typed_data()[0];
  return ThroughHsv(pool, images, out, "saturate", [=](Hsv hsv) {
    hsv.saturation = Clipped(hsv.saturation * scale + added);
    return hsv;
  });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_brightness, rcj::Brightness,
            rcj::CorruptionHandler().Arg<rcj::Scalar>());

RCJ_HANDLER(corrupt_saturate, rcj::Saturate,
            rcj::CorruptionHandler().Arg<rcj::Scalar>().Arg<rcj::Scalar>());
