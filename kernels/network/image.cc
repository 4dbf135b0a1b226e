// Normalises images, and spreads them over the lanes.
#include "network/finish.h"
#include "network/operation.h"

namespace rcj::network {
namespace {

class Image : public Operation {
 public:
  explicit Image(const Setting& setting)
      : setting_(setting), out_(setting.ValueOf(0)) {}

  void Run(const Operands& operands, const Part& part,
           Scratch&) const override {
    Dispatch(out_.storage, [&](auto stored) {
      for (int y = part.y0; y < part.y1; ++y) {
        Row<decltype(stored)>(operands, y);
      }
    });
  }

 private:
  // The lanes' pixels of this row; null where a lane has none.
  void Begin(const Operands& operands, int y, const float** from) const {
    const int strips = setting_.layout.strips;
    const int width = setting_.columns[0].width;
    for (int lane = 0; lane < kLanes; ++lane) {
      const int image = lane / strips, column = lane % strips * width;
      const bool there = image < operands.images.count && column < out_.w;
      const int64_t row = int64_t{image} * out_.h + y;
      from[lane] = there ? operands.images.first + (row * out_.w + column) * 3
                         : nullptr;
    }
  }

  template <class Own>
  void Row(const Operands& operands, int y) const {
    const Columns& columns = setting_.columns[0];
    const float* mean = setting_.program->mean;
    const int lines = out_.Lines();
    const Line zero = setting_.borders[0][0];
    const float* from[kLanes];
    Begin(operands, y, from);
    Line* to = operands.out.At(y);
    for (int x = 0; x < columns.width; ++x, to += out_.Pitch()) {
      alignas(kLineBytes) float lanes[4][kLanes] = {};
      for (int lane = 0; lane < kLanes; ++lane) {
        const int column = lane % setting_.layout.strips * columns.width + x;
        if (!from[lane] || column >= out_.w) continue;
        for (int k = 0; k < 3; ++k) lanes[k][lane] = from[lane][3 * x + k];
      }
      Floats values[4] = {};
      for (int k = 0; k < 3; ++k) {
        values[k] = (*reinterpret_cast<const Floats*>(lanes[k]) -
                     Splat(mean[k])) / Splat(mean[3 + k]);
      }
      for (int i = 0; i < lines; ++i) {
        const Line line = Own::Store(values + i * Own::kChannels, out_.step);
        to[i] = Inside(line, columns, x, zero);
      }
    }
  }

  const Setting& setting_;
  Value out_;
};

}  // namespace

std::unique_ptr<Operation> MakeImage(const Op&, const Setting& setting) {
  return std::make_unique<Image>(setting);
}

}  // namespace rcj::network
