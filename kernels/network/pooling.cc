// Maxima over windows, means over images.
#include <cfloat>
#include <vector>

#include "network/finish.h"
#include "network/operation.h"

namespace rcj::network {
namespace {

class MaxPool : public Operation {
 public:
  MaxPool(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)) {}

  void Run(const Operands& operands, const Part& part,
           Scratch& scratch) const override {
    Dispatch(in_.storage, [&](auto stored) {
      Pool<decltype(stored)>(operands, part, scratch);
    });
  }

 private:
  template <class Own>
  void Pool(const Operands& operands, const Part& part,
            Scratch& scratch) const {
    const Window window = setting_.WindowOf(op_.input, operands.in);
    const Columns& columns = setting_.columns[op_.output];
    const int lines = in_.Lines(), taps = op_.size * op_.size;
    const Line zero = setting_.borders[op_.output][0];
    Line* spare = scratch.Lines(0, int64_t{taps} * lines);
    const Line* places[9];
    for (int y = part.y0; y < part.y1; ++y) {
      for (int x = 0; x < columns.width; ++x) {
        int count = 0;
        for (int i = 0; i < taps; ++i) {
          const int row = y * 2 - op_.top + i / op_.size;
          const int column = x * 2 - op_.left + i % op_.size;
          if (!Exists(row, column)) continue;
          places[count++] =
              window.Copied(window.Row(row), column, spare + i * lines);
        }
        Line* to = operands.out.At(y) + int64_t{x} * out_.Pitch();
        for (int c = 0; c < lines; ++c) {
          const Line line = Largest<Own>(places, count, c);
          to[c] = Inside(line, columns, x, zero);
        }
      }
    }
  }

  // Borders never win. Those between strips are not: what lies beyond the last
  // strip is 0, and strips are only for results that are not negative.
  bool Exists(int row, int column) const {
    if (row < 0 || row >= in_.h) return false;
    const int width = setting_.columns[op_.input].width;
    return setting_.layout.strips > 1 || (column >= 0 && column < width);
  }

  template <class Own>
  RCJ_INLINE Line Largest(const Line* const* places, int count, int c) const {
    constexpr int kChannels = Own::kChannels;
    Floats most[kChannels], values[kChannels];
    Own::Load(places[0][c], in_.step, most);
    for (int i = 1; i < count; ++i) {
      Own::Load(places[i][c], in_.step, values);
      for (int k = 0; k < kChannels; ++k) most[k] = Max(most[k], values[k]);
    }
    return Own::Store(most, out_.step);
  }

  Op op_;
  const Setting& setting_;
  Value in_, out_;
};

class MeanPool : public Operation {
 public:
  MeanPool(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)) {}

  void Run(const Operands& operands, const Part&, Scratch&) const override {
    Dispatch(in_.storage, [&](auto stored) {
      Pool<decltype(stored)>(operands);
    });
  }

 private:
  template <class Own>
  void Pool(const Operands& operands) const {
    const int lines = in_.Lines();
    const int width = setting_.columns[op_.input].width;
    const float part = 1.0f / (float(in_.h) * in_.w);
    for (int c = 0; c < lines; ++c) {
      Floats sums[Own::kChannels] = {}, values[Own::kChannels];
      for (int y = 0; y < in_.h; ++y) {
        const Line* row = operands.in.At(y) + c;
        for (int x = 0; x < width; ++x) {
          Own::Load(row[int64_t{x} * in_.Pitch()], in_.step, values);
          for (int k = 0; k < Own::kChannels; ++k) sums[k] += values[k];
        }
      }
      for (auto& sum : sums) sum = Gathered(sum) * part;
      operands.out.base[c] = Own::Store(sums, out_.step);
    }
  }

  // The sum over an image's strips in the lane of its number.
  Floats Gathered(Floats sums) const {
    const int strips = setting_.layout.strips;
    if (strips == 1) return sums;
    Floats found = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      found[lane / strips] += sums[lane];
    }
    return found;
  }

  Op op_;
  const Setting& setting_;
  Value in_, out_;
};

}  // namespace

std::unique_ptr<Operation> MakeMaxPool(const Op& op, const Setting& setting) {
  return std::make_unique<MaxPool>(op, setting);
}

std::unique_ptr<Operation> MakeMeanPool(const Op& op, const Setting& setting) {
  return std::make_unique<MeanPool>(op, setting);
}

}  // namespace rcj::network
