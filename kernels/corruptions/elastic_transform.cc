// rcj_corrupt_elastic_transform: an affine map, then a smooth displacement.
#include <algorithm>
#include <cmath>
#include <string>

#include "corruptions/bilinear.h"
#include "corruptions/image.h"
#include "corruptions/mirror.h"
#include "corruptions/scratch.h"
#include "corruptions/smoothing.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Noise = ffi::BufferR3<ffi::F64>;
using Half = ffi::BufferR1<ffi::F64>;
using Real = ffi::BufferR0<ffi::F64>;

struct Parameters {
  Size size;
  double alpha, affine;
  Smoothing rows, columns;
};

// Smooths noise[height][width] to displacements, from the first to the last of
// the matrices `work`, which have room for whole tiles.
void Displace(const double* noise, const Parameters& parameters,
              const Matrix work[3], float* __restrict result) {
  const Size& size = parameters.size;
  const Smoothing &rows = parameters.rows, &columns = parameters.columns;
  const Matrix &field = work[0], &halfway = work[1], &smooth = work[2];
  const int64_t height = RowsOfTiles(size.height), width = field.stride;
  for (int64_t y = 0; y < size.height; ++y) {
    double* row = field.values + y * width;
    std::copy_n(noise + y * size.width, size.width, row);
    std::fill(row + size.width, row + width, 0.0);
  }
  for (int64_t y = 0; y < height; y += kTileRows) {
    const Band band = rows.band(y, y + kTileRows);
    for (int64_t x = 0; x < width; x += kTileColumns) {
      MultiplyTile(rows.matrix(), field, y, x, band, halfway);
    }
  }
  for (int64_t y = 0; y < height; y += kTileRows) {
    for (int64_t x = 0; x < width; x += kTileColumns) {
      const Band band = columns.band(x, x + kTileColumns);
      MultiplyTile(halfway, columns.matrix(), y, x, band, smooth);
    }
  }
  for (int64_t y = 0; y < size.height; ++y) {
    const double* row = smooth.values + y * width;
    for (int64_t x = 0; x < size.width; ++x) {
      result[y * size.width + x] = static_cast<float>(row[x] * parameters.alpha);
    }
  }
}

// Where each pixel of the mapped image is in the original.
class Affine {
 public:
  // jitter[3][2]: how far three points move, x and y.
  Affine(const double* jitter, double scale, const Size& size) {
    const int64_t reach = std::min(size.height, size.width) / 3;
    const int64_t ways[3][2] = {{1, 1}, {1, -1}, {-1, -1}};
    const int64_t centre[2] = {size.width / 2, size.height / 2};
    for (int i = 0; i < 2; ++i) {
      double moved[3];
      for (int k = 0; k < 3; ++k) {
        const auto corner =
            static_cast<float>(centre[i] + reach * ways[k][i]);
        moved[k] = corner + static_cast<float>(jitter[2 * k + i] * scale);
      }
      along_y_[i] = (moved[0] - moved[1]) / (2 * reach);
      along_x_[i] = (moved[1] - moved[2]) / (2 * reach);
      start_[i] = moved[2] - along_x_[i] * (centre[0] - reach) -
                  along_y_[i] * (centre[1] - reach);
    }
    area_ = along_x_[0] * along_y_[1] - along_x_[1] * along_y_[0];
  }

  void Row(int64_t row, int64_t width, double* __restrict x,
           double* __restrict y) const {
    const Affine affine = *this;  // that no store can be to it
    const double down = row - affine.start_[1];
    for (int32_t i = 0; i < width; ++i) {
      const double right = i - affine.start_[0];
      x[i] = (affine.along_y_[1] * right - affine.along_y_[0] * down) /
             affine.area_;
      y[i] = (affine.along_x_[0] * down - affine.along_x_[1] * right) /
             affine.area_;
    }
  }

 private:
  double along_x_[2], along_y_[2], start_[2], area_;
};

struct Fields {
  const double *down, *jitter, *right;
};

// Pixels 0 to size-1, each moved by its displacement.
void Move(int64_t size, double from, double step,
          const float* __restrict displacement, double* __restrict places) {
  for (int32_t i = 0; i < size; ++i) {
    places[i] = from + step * i + double{displacement[i]};
  }
}

void Elastic(const uint8_t* image, const Fields& fields,
             const Parameters& parameters, uint8_t* corrupted) {
  Scratch scratch;
  const Size& size = parameters.size;
  const int64_t pixels = size.height * size.width;
  float* right = scratch.Take<float>(pixels);
  float* down = scratch.Take<float>(pixels);
  Matrix work[3];
  for (Matrix& matrix : work) {
    matrix.stride = ColumnsOfTiles(size.width);
    matrix.values =
        scratch.Take<double>(RowsOfTiles(size.height) * matrix.stride);
  }
  Displace(fields.right, parameters, work, right);
  Displace(fields.down, parameters, work, down);
  const int64_t row_size = size.width * 3;
  double* values = scratch.Take<double>(pixels * 3 + 1);
  double* mapped = scratch.Take<double>(pixels * 3 + 1);
  float* row = scratch.Take<float>(row_size + 1);
  for (int64_t i = 0; i < pixels * 3; ++i) values[i] = Unit<float>(image[i]);
  values[pixels * 3] = mapped[pixels * 3] = 0;
  Places places(size.width, scratch);
  const Affine affine(fields.jitter, parameters.affine, size);
  for (int64_t y = 0; y < size.height; ++y) {
    affine.Row(y, size.width, places.x, places.y);
    places.Sample(values, size, Mirrored, row);
    std::copy_n(row, row_size, mapped + y * row_size);
  }
  for (int64_t y = 0; y < size.height; ++y) {
    Move(size.width, 0, 1, right + y * size.width, places.x);
    Move(size.width, y, 0, down + y * size.width, places.y);
    places.Sample(mapped, size, Repeated, row);
    uint8_t* to = corrupted + y * row_size;
    for (int64_t i = 0; i < row_size; ++i) to[i] = Byte(row[i]);
  }
}

ffi::Error ElasticTransform(ffi::ThreadPool pool, Images images,
                            CorruptedImages out, Noise down, Noise jitter,
                            Noise right, Real alpha, Real affine, Half half) {
  const auto shape = images.dimensions(), found = jitter.dimensions();
  for (const Noise& noise : {down, right}) {
    if (!Fits(noise, images, 3)) {
      return Misfit("elastic_transform", "down and right f64[N,H,W]", noise,
                    images);
    }
  }
  if (found[0] != shape[0] || found[1] != 3 || found[2] != 2) {
    return Misfit("elastic_transform", "jitter f64[N,3,2]", jitter, images);
  }
  const Size size{shape[1], shape[2]};
  if (std::min(size.height, size.width) < 3) {
    return ffi::Error::InvalidArgument(
        "elastic_transform: images must be at least 3 pixels high and wide, "
        "got " + Shape(images));
  }
  int64_t reach = half.dimensions()[0] - 1;
  while (reach > 0 && half.typed_data()[reach] == 0) --reach;
  const Parameters parameters{
      size, *alpha.typed_data(), *affine.typed_data(),
      Smoothing(size.height, half.typed_data(), reach, false),
      Smoothing(size.width, half.typed_data(), reach, true)};
  const int64_t pixels = size.height * size.width;
  return ForImages(pool, images, out, "elastic_transform",
                   [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
                     const Fields fields{down.typed_data() + i * pixels,
                                         jitter.typed_data() + i * 6,
                                         right.typed_data() + i * pixels};
                     Elastic(image, fields, parameters, corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_elastic_transform, rcj::ElasticTransform,
            rcj::CorruptionHandler()
                .Arg<rcj::Noise>()
                .Arg<rcj::Noise>()
                .Arg<rcj::Noise>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Half>());
