// Convolution of each channel with its own kernel.
#include <vector>

#include "network/finish.h"
#include "network/operation.h"

namespace rcj::network {
namespace {

constexpr int kResults = 7;  // neighbours that share loads

class Depthwise : public Operation {
 public:
  Depthwise(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)),
        finish_(FinishOf(op, setting.program->values)) {
    // Bytes are multiplied as the numbers that they stand for: their sums are
    // small enough to be exact.
    const int per = Channels(in_.storage), taps = op.size * op.size;
    const int padded = in_.Lines() * per;
    bias_.assign(padded, 0.0f), scales_.assign(padded, 0.0f);
    weights_.assign(int64_t{padded} * taps, 0.0f);
    for (int c = 0; c < in_.channels; ++c) {
      bias_[c] = op.bias[c];
      if (op.scales) scales_[c] = in_.step.scale * op.scales[c];
      for (int t = 0; t < taps; ++t) {
        const float x = op.weights[t * in_.channels + c];
        weights_[(int64_t{c / per} * taps + t) * per + c % per] =
            in_.storage == Storage::kBfloat16 ? Rounded(x) : x;
      }
    }
    if (op.scales) in_.step.scale = 1;
    finish_.bias = bias_.data();
    if (op.scales) finish_.scale = scales_.data();
  }

  void Run(const Operands& operands, const Part& part,
           Scratch& scratch) const override {
    const Window window = setting_.WindowOf(op_.input, operands.in);
    Dispatch(in_.storage, [&](auto stored) {
      using Own = decltype(stored);
      if (op_.size == 3) {
        Rows<Own, 3>(window, operands, part, scratch);
      } else if (op_.size == 5) {
        Rows<Own, 5>(window, operands, part, scratch);
      } else {
        Rows<Own, 0>(window, operands, part, scratch);
      }
    });
  }

 private:
  static float Rounded(float x) {
    Floats values[2] = {Splat(x), Splat(x)};
    using Own = Stored<Storage::kBfloat16>;
    Own::Load(Own::Store(values, {}), {}, values);
    return values[0][0];
  }

  template <class Own, int kSize>
  void Rows(const Window& window, const Operands& operands, const Part& part,
            Scratch& scratch) const {
    const int size = kSize ? kSize : op_.size, lines = in_.Lines();
    const int columns = (kResults - 1) * op_.stride + size;
    const int width = setting_.columns[op_.output].width;
    Line* spare = scratch.Lines(0, int64_t{size} * columns * lines);
    std::vector<const Line*> places(size * columns);
    std::vector<const Line*> rows(size);
    for (int y = part.y0; y < part.y1; ++y) {
      for (int i = 0; i < size; ++i) {
        rows[i] = window.Row(y * op_.stride - op_.top + i);
      }
      for (int x = 0; x < width; x += kResults) {
        const int left = x * op_.stride - op_.left;
        for (int i = 0, k = 0; i < size; ++i) {
          for (int j = 0; j < columns; ++j, ++k) {
            places[k] =
                window.Copied(rows[i], left + j, spare + int64_t{k} * lines);
          }
        }
        const int count = std::min(kResults, width - x);
        const auto tile = [&](auto function) {
          (this->*function)(places.data(), columns, operands, y, x, count);
        };
        if (op_.stride == 1) {
          tile(&Depthwise::Tile<Own, kSize, 1>);
        } else if (op_.stride == 2) {
          tile(&Depthwise::Tile<Own, kSize, 2>);
        } else {
          tile(&Depthwise::Tile<Own, kSize, 0>);
        }
      }
    }
  }

  // Results of neighbouring pixels, line by line.
  template <class Own, int kSize, int kStride>
  void Tile(const Line* const* places, int columns, const Operands& operands,
            int y, int x, int count) const {
    constexpr int kChannels = Own::kChannels;
    const int size = kSize ? kSize : op_.size;
    const int lines = in_.Lines(), weights = size * size * kChannels;
    const int pitch = out_.Pitch();
    const Step step = in_.step;
    const Finish finish = finish_;
    Line* to = operands.out.At(y) + int64_t{x} * pitch;
    for (int c = 0; c < lines; ++c) {
      Floats sums[kResults][kChannels] = {};
      const float* weight = weights_.data() + int64_t{c} * weights;
      for (int i = 0; i < size; ++i, weight += size * kChannels) {
        AddRow<Own, kSize, kStride>(places + i * columns, c, step, weight,
                                    sums);
      }
      for (int t = 0; t < count; ++t) {
        to[int64_t{t} * pitch + c] =
            Limit<Own>(sums[t], c * kChannels, finish);
      }
    }
    Mask(to, x, count);
  }

  // Adds products with a row of weights; each column is loaded once.
  template <class Own, int kSize, int kStride>
  RCJ_INLINE void AddRow(const Line* const* row, int c, const Step& step,
                         const float* weight,
                         Floats (*sums)[Own::kChannels]) const {
    constexpr int kChannels = Own::kChannels;
    const int size = kSize ? kSize : op_.size;
    const int stride = kStride ? kStride : op_.stride;
#pragma GCC unroll 20
    for (int k = 0; k < (kResults - 1) * stride + size; ++k) {
      Floats values[kChannels];
      Own::Load(row[k][c], step, values);
#pragma GCC unroll 8
      for (int t = 0; t < kResults; ++t) {
        const int j = k - t * stride;
        if (j < 0 || j >= size) continue;
        for (int m = 0; m < kChannels; ++m) {
          sums[t][m] =
              Fma(values[m], Splat(weight[j * kChannels + m]), sums[t][m]);
        }
      }
    }
  }

  template <class Own>
  RCJ_INLINE Line Limit(Floats* sums, int channel, const Finish& finish) const {
    for (int k = 0; k < Own::kChannels; ++k) {
      if (finish.scale) sums[k] = sums[k] * Splat(finish.scale[channel + k]);
      sums[k] = Limited(sums[k] + Splat(finish.bias[channel + k]), finish);
    }
    return Own::Store(sums, finish.result);
  }

  // Zeros beyond the image.
  void Mask(Line* to, int x, int count) const {
    const Columns& columns = setting_.columns[op_.output];
    if (columns.inside.empty()) return;
    const Line zero = setting_.borders[op_.output][0];
    const int lines = in_.Lines(), pitch = out_.Pitch();
    for (int t = 0; t < count; ++t) {
      for (int c = 0; c < lines; ++c) {
        Line& line = to[int64_t{t} * pitch + c];
        line = Inside(line, columns, x + t, zero);
      }
    }
  }

  Op op_;
  const Setting& setting_;
  Value in_, out_;
  Finish finish_;
  std::vector<float> weights_;  // [line][tap][channel of the line]
  std::vector<float> bias_, scales_;
};

}  // namespace

std::unique_ptr<Operation> MakeDepthwise(const Op& op,
                                         const Setting& setting) {
  return std::make_unique<Depthwise>(op, setting);
}

}  // namespace rcj::network
