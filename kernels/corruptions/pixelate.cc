// rcj_corrupt_pixelate: Pillow's BOX resize to a part of each side, and back.
#include <cmath>
#include <cstring>
#include <vector>

#include "corruptions/image.h"

namespace rcj {
namespace {

// As Pillow computes with weights: whole numbers of 2^-22.
constexpr int kPrecision = 22;

// A pixel of the small image: the mean of some in the large one.
struct Window {
  int first, count, weight;
};

// The windows along one axis, and which one each pixel of the axis shows.
struct Axis {
  std::vector<Window> windows;
  std::vector<int> shown;

  Axis(int size, double factor) : shown(size) {
    const int small = std::max(static_cast<int>(size * factor), 1);
    const double scale = static_cast<double>(size) / small;
    const double support = 0.5 * scale, inverse = 1 / scale;
    for (int i = 0; i < small; ++i) {
      const double centre = (i + 0.5) * scale;
      const auto weighs = [&](int x) {
        const double away = (x - centre + 0.5) * inverse;
        return away > -0.5 && away <= 0.5;
      };
      int first = static_cast<int>(centre - support + 0.5);
      int last = std::min(static_cast<int>(centre + support + 0.5), size);
      first += !weighs(first);
      last -= !weighs(last - 1);
      const int count = last - first;
      const int weight = static_cast<int>(0.5 + (1.0 / count) * (1 << kPrecision));
      windows.push_back({first, count, weight});
    }
    const double step = static_cast<double>(small) / size;
    for (int x = 0; x < size; ++x) {
      shown[x] = std::min(static_cast<int>((x + 0.5) * step), small - 1);
    }
  }
};

inline uint8_t Mean(uint32_t sum, int weight) {
  return (sum * weight + (1 << (kPrecision - 1))) >> kPrecision;
}

// One row to as many pixels as there are windows.
void Narrow(const uint8_t* row, const std::vector<Window>& windows,
            uint8_t* small) {
  for (const Window& window : windows) {
    const uint8_t* pixel = row + 3 * window.first;
    uint32_t sums[3] = {};
    for (int k = 0; k < window.count; ++k, pixel += 3) {
      for (int c = 0; c < 3; ++c) sums[c] += pixel[c];
    }
    for (int c = 0; c < 3; ++c) *small++ = Mean(sums[c], window.weight);
  }
}

void Pixelate(const uint8_t* image, const Axis& rows, const Axis& columns,
              uint8_t* out) {
  const int64_t height = rows.shown.size(), width = 3 * columns.shown.size();
  const int64_t narrow = 3 * columns.windows.size();
  std::vector<uint8_t> room(height * narrow), mean(narrow);
  for (int64_t y = 0; y < height; ++y) {
    Narrow(image + y * width, columns.windows, room.data() + y * narrow);
  }
  std::vector<uint32_t> sums(narrow);
  int64_t y = 0;
  for (size_t i = 0; i < rows.windows.size(); ++i) {
    const Window& window = rows.windows[i];
    std::fill(sums.begin(), sums.end(), 0);
    for (int k = 0; k < window.count; ++k) {
      const uint8_t* row = room.data() + (window.first + k) * narrow;
      for (int64_t j = 0; j < narrow; ++j) sums[j] += row[j];
    }
    for (int64_t j = 0; j < narrow; ++j) {
      mean[j] = Mean(sums[j], window.weight);
    }
    uint8_t* first = out + y * width;
    uint8_t* pixel = first;
    for (int column : columns.shown) {
      for (int c = 0; c < 3; ++c) *pixel++ = mean[3 * column + c];
    }
    while (++y < height && rows.shown[y] == static_cast<int>(i)) {
      std::memcpy(out + y * width, first, width);
    }
  }
}

ffi::Error Run(ffi::ThreadPool pool, Images images, CorruptedImages out,
               ffi::BufferR0<ffi::F64> factor) {
  const double part = factor.typed_data()[0];
  if (!(part > 0 && part <= 1)) {
    return ffi::Error::InvalidArgument(
        "pixelate: the factor must be in (0, 1], got " + std::to_string(part));
  }
  const Axis rows(images.dimensions()[1], part);
  const Axis columns(images.dimensions()[2], part);
  const auto body = [&](int64_t, const uint8_t* image, uint8_t* corrupted) {
    Pixelate(image, rows, columns, corrupted);
  };
  return ForImages(pool, images, out, "pixelate", body);
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_pixelate, rcj::Run,
            rcj::CorruptionHandler().Arg<xla::ffi::BufferR0<xla::ffi::F64>>());
