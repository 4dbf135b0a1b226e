// rcj_corrupt_shot_noise: Poisson counts, read off at the quantiles drawn.
#include <vector>

#include "corruptions/image.h"

namespace rcj {
namespace {

using Table = ffi::BufferR2<ffi::F32>;

constexpr int kPieces = 128;  // of the quantiles of one value
constexpr int kBlock = 256;

// Quantiles that mostly have one of two counts: below `step` the first of two
// corrupted values, from there on the second. A negative step says that there
// are more counts, from `first`.
struct Piece {
  float step;
  uint16_t first;
  uint8_t values[2];
};

// The pieces of one value, of its distribution function.
void Divide(const float* cdf, int counts, const uint8_t* bytes, Piece* pieces) {
  int count = 0;
  for (int i = 0; i < kPieces; ++i) {
    const float begin = float(i) / kPieces, end = float(i + 1) / kPieces;
    while (count < counts - 2 && cdf[count] <= begin) ++count;
    pieces[i] = {cdf[count + 1] < end ? -1 : cdf[count],
                 static_cast<uint16_t>(count), {bytes[count], bytes[count + 1]}};
  }
}

ffi::Error Shot(ffi::ThreadPool pool, Images images, CorruptedImages out,
                ffi::BufferR4<ffi::F32> uniform, Table cdf,
                ffi::BufferR1<ffi::F32> values) {
  if (!Fits(uniform, images, 4)) {
    return Misfit("shot_noise", "uniform[N,H,W,3]", uniform, images);
  }
  const int counts = values.dimensions()[0];
  if (cdf.dimensions()[0] != 256 || cdf.dimensions()[1] != counts ||
      counts < 2 || counts > 65536) {
    return ffi::Error::InvalidArgument(
        "shot_noise: cdf and values must be [256,K] and [K], got " +
        Shape(cdf) + " and " + Shape(values));
  }
  std::vector<uint8_t> bytes(counts);
  std::transform(values.typed_data(), values.typed_data() + counts,
                 bytes.begin(), Truncated<float>);
  std::vector<Piece> pieces(256 * kPieces);
  for (int v = 0; v < 256; ++v) {
    Divide(cdf.typed_data() + v * counts, counts, bytes.data(),
           pieces.data() + v * kPieces);
  }
  const int64_t size = ImageSize(images);
  const auto body = [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
    const float* quantiles = uniform.typed_data() + i * size;
    int32_t places[kBlock];
    for (int64_t at = 0; at < size; at += kBlock) {
      const int block = std::min<int64_t>(kBlock, size - at);
      for (int j = 0; j < block; ++j) {
        const int piece = static_cast<int>(quantiles[at + j] * kPieces);
        places[j] = image[at + j] * kPieces +
                    std::min(std::max(piece, 0), kPieces - 1);
      }
      for (int j = 0; j < block; ++j) {
        const Piece& piece = pieces[places[j]];
        const float u = quantiles[at + j];
        uint8_t value = piece.values[piece.step <= u];  // not a branch
        if (piece.step < 0) {
          const float* row = cdf.typed_data() + image[at + j] * counts;
          int count = piece.first;
          while (count < counts - 1 && row[count] <= u) ++count;
          value = bytes[count];
        }
        corrupted[at + j] = value;
      }
    }
  };
  return ForImages(pool, images, out, "shot_noise", body);
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_shot_noise, rcj::Shot,
            rcj::CorruptionHandler()
                .Arg<xla::ffi::BufferR4<xla::ffi::F32>>()
                .Arg<rcj::Table>()
                .Arg<xla::ffi::BufferR1<xla::ffi::F32>>());
