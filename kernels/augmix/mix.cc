#include "augmix/mix.h"

#include <algorithm>
#include <cstring>

#include "augmix/mix_row.h"

namespace rcj::augmix {
namespace {

// Memory for the rows of layers that have a tone.
class Rows {
 public:
  Rows(const Layer* layers, int64_t count, Scratch& scratch)
      : layers_(layers),
        count_(count),
        width_(RoundUp(layers[0].image.W, kWidest)),
        rows_(scratch.Take<Row>(count)),
        toned_(scratch.Take<uint8_t>(3 * count * width_)) {}

  const Row* At(int64_t y) const {
    for (int64_t i = 0; i < count_; ++i) {
      for (int c = 0; c < 3; ++c) rows_[i].of[c] = Toned(i, c, y);
    }
    return rows_;
  }

 private:
  const uint8_t* Toned(int64_t i, int channel, int64_t y) const {
    const Layer& layer = layers_[i];
    const uint8_t* row = layer.image.Row(channel, y);
    if (layer.tone == nullptr || layer.tone->Nothing()) return row;
    uint8_t* toned = toned_ + (3 * i + channel) * width_;
    layer.tone->Apply(channel, row, layer.image.W, toned);
    return toned;
  }

  const Layer* layers_;
  int64_t count_, width_;
  Row* rows_;
  uint8_t* toned_;
};

template <class T>
void MixRows(const Rows& rows, const Weighting& weighting, int64_t H, int64_t W,
             T* out) {
  for (int64_t y = 0; y < H; ++y, out += 3 * W) {
    MixRow(rows.At(y), weighting, W, out);
  }
}

}  // namespace

void Mix(const Layer* layers, int64_t count, const float* scale,
         const float* offset, Scratch& scratch, const Output& out) {
  const Image& image = layers[0].image;
  const Rows rows(layers, count, scratch);
  Factors* factors = scratch.Take<Factors>(count);
  for (int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c) {
      std::fill_n(factors[i].of[c], kRepeats, layers[i].weight * scale[c]);
    }
  }
  const Weighting weighting{count, factors, offset};
  if (out.bfloat16) {
    MixRows(rows, weighting, image.H, image.W,
            static_cast<uint16_t*>(out.views));
  } else {
    MixRows(rows, weighting, image.H, image.W,
            static_cast<float*>(out.views));
  }
}

}  // namespace rcj::augmix
