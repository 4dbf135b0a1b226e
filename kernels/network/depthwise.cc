// Convolution of each channel with its own kernel.
#include <vector>

#include "network/finish.h"
#include "network/operation.h"

namespace rcj::network {
namespace {

constexpr int kResults = 4;  // neighbours that share loads

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
    for (int y = part.y0; y < part.y1; ++y) {
      for (int x = 0; x < width; x += kResults) {
        for (int i = 0; i < size * columns; ++i) {
          places[i] = window.Copied(y * op_.stride - op_.top + i / columns,
                                    x * op_.stride - op_.left + i % columns,
                                    spare + int64_t{i} * lines);
        }
        const int count = std::min(kResults, width - x);
        if (op_.stride == 1) {
          Tile<Own, kSize, 1>(places.data(), columns, operands, y, x, count);
        } else {
          Tile<Own, kSize, 0>(places.data(), columns, operands, y, x, count);
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
    const int stride = kStride ? kStride : op_.stride;
    const int lines = in_.Lines();
    const Columns& own = setting_.columns[op_.output];
    const Line zero = setting_.borders[op_.output][0];
    Line* to = operands.out.At(y) + int64_t{x} * lines;
    const float* weight = weights_.data();
    for (int c = 0; c < lines; ++c, weight += size * size * kChannels) {
      Floats sums[kResults][kChannels] = {};
      for (int i = 0; i < size; ++i) {
        const Line* const* row = places + i * columns;
        for (int j = 0; j < size; ++j) {
          const float* w = weight + (i * size + j) * kChannels;
#pragma GCC unroll 8
          for (int t = 0; t < kResults; ++t) {
            Floats values[kChannels];
            Own::Load(row[t * stride + j][c], in_.step, values);
#pragma GCC unroll 4
            for (int k = 0; k < kChannels; ++k) {
              sums[t][k] = Fma(values[k], Splat(w[k]), sums[t][k]);
            }
          }
        }
      }
      for (int t = 0; t < count; ++t) {
        const Line line = Limit<Own>(sums[t], c * kChannels);
        to[t * lines + c] = Inside(line, own, x + t, zero);
      }
    }
  }

  template <class Own>
  RCJ_INLINE Line Limit(Floats* sums, int channel) const {
    for (int k = 0; k < Own::kChannels; ++k) {
      if (op_.scales) sums[k] = sums[k] * scales_[channel + k];
      sums[k] = Limited(sums[k] + bias_[channel + k], finish_);
    }
    return Own::Store(sums, finish_.result);
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
