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
  template <class Own>
  void Row(const Operands& operands, int y) const {
    const Layout& layout = setting_.layout;
    const Columns& columns = setting_.columns[0];
    const int lines = out_.Lines(), strips = layout.strips;
    const float* mean = setting_.program->mean;
    const Line zero = setting_.borders[0][0];
    Line* to = operands.out.At(y);
    for (int x = 0; x < columns.width; ++x, to += lines) {
      Floats values[4] = {};
      for (int lane = 0; lane < kLanes; ++lane) {
        const int image = lane / strips, column = lane % strips * columns.width + x;
        if (image >= operands.images.count || column >= out_.w) continue;
        const float* from =
            operands.images.first +
            ((int64_t{image} * out_.h + y) * out_.w + column) * 3;
        for (int k = 0; k < 3; ++k) values[k][lane] = from[k];
      }
      for (int k = 0; k < 3; ++k) values[k] = (values[k] - mean[k]) / mean[3 + k];
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
