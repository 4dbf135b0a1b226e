// Operations that change each value by itself, or move it.
#include <algorithm>
#include <vector>

#include "network/finish.h"
#include "network/operation.h"

namespace rcj::network {
namespace {

// An addition, or limits alone.
class Pointwise : public Operation {
 public:
  Pointwise(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)),
        finish_(FinishOf(op, setting.program->values)) {}

  void Run(const Operands& operands, const Part& part,
           Scratch&) const override {
    Dispatch(in_.storage, [&](auto stored) {
      Limit<decltype(stored)>(operands, part);
    });
  }

 private:
  template <class Own>
  void Limit(const Operands& operands, const Part& part) const {
    const Columns& columns = setting_.columns[op_.output];
    const int lines = in_.Lines();
    const Line zero = setting_.borders[op_.output][0];
    for (int y = part.y0; y < part.y1; ++y) {
      for (int x = 0; x < columns.width; ++x) {
        const int64_t at = int64_t{x} * in_.Pitch();
        const Line* from = operands.in.At(y) + at;
        const Line* other =
            op_.other >= 0 ? operands.other.At(y) + at : nullptr;
        Line* to = operands.out.At(y) + at;
        for (int c = 0; c < lines; ++c) {
          to[c] = Inside(One<Own>(from[c], other ? other + c : nullptr),
                         columns, x, zero);
        }
      }
    }
  }

  template <class Own>
  RCJ_INLINE Line One(Line line, const Line* other) const {
    Floats x[Own::kChannels], added[Own::kChannels];
    Own::Load(line, in_.step, x);
    if (other) {
      Own::Load(*other, finish_.other, added);
      for (int k = 0; k < Own::kChannels; ++k) x[k] += added[k];
    }
    for (auto& value : x) value = Limited(value, finish_);
    return Own::Store(x, finish_.result);
  }

  Op op_;
  const Setting& setting_;
  Value in_, out_;
  Finish finish_;
};

// One channel of a pixel, in a lane; what lies in memory.
uint32_t Get(const Line* pixel, Storage storage, int channel, int lane) {
  const int per = Channels(storage), bits = 32 / per;
  const uint32_t line = pixel[channel / per][lane];
  const uint32_t mask = per == 1 ? ~0u : (1u << bits) - 1;
  return (line >> (channel % per * bits)) & mask;
}

void Put(Line* pixel, Storage storage, int channel, int lane, uint32_t value) {
  const int per = Channels(storage), bits = 32 / per;
  const uint32_t mask = per == 1 ? ~0u : (1u << bits) - 1;
  const int by = channel % per * bits;
  int32_t& line = reinterpret_cast<int32_t*>(pixel + channel / per)[lane];
  line = (static_cast<uint32_t>(line) & ~(mask << by)) | (value << by);
}

// A shortcut without parameters: every few pixels, between channels of zeros.
class Pad : public Operation {
 public:
  Pad(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)) {}

  void Run(const Operands& operands, const Part& part,
           Scratch&) const override {
    const int width = setting_.columns[op_.output].width;
    const int before = (out_.channels - in_.channels) / 2;
    const auto& zeros = setting_.borders[op_.output];
    for (int y = part.y0; y < part.y1; ++y) {
      for (int x = 0; x < width; ++x) {
        const Line* from = operands.in.At(y * op_.stride) +
                           int64_t{x} * op_.stride * in_.Pitch();
        Line* to = operands.out.At(y) + int64_t{x} * out_.Pitch();
        std::copy(zeros.begin(), zeros.begin() + out_.Lines(), to);
        Move(from, before, to);
      }
    }
  }

 private:
  void Move(const Line* from, int before, Line* to) const {
    const int per = Channels(in_.storage);
    if (before % per == 0 && in_.channels % per == 0) {
      std::copy(from, from + in_.Lines(), to + before / per);
      return;
    }
    for (int c = 0; c < in_.channels; ++c) {
      for (int lane = 0; lane < kLanes; ++lane) {
        Put(to, in_.storage, before + c, lane,
            Get(from, in_.storage, c, lane));
      }
    }
  }

  Op op_;
  const Setting& setting_;
  Value in_, out_;
};

// All pixels' channels in a row; strips become images.
class Flatten : public Operation {
 public:
  Flatten(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)) {}

  void Run(const Operands& operands, const Part&, Scratch&) const override {
    const Layout& layout = setting_.layout;
    const int width = setting_.columns[op_.input].width;
    const auto& zeros = setting_.borders[op_.output];
    std::copy(zeros.begin(), zeros.begin() + out_.Lines(), operands.out.base);
    for (int y = 0; y < in_.h; ++y) {
      for (int x = 0; x < in_.w; ++x) {
        const Line* from =
            operands.in.At(y) + int64_t{x % width} * in_.Pitch();
        const int first = (y * in_.w + x) * in_.channels;
        for (int c = 0; c < in_.channels; ++c) {
          for (int image = 0; image < layout.images; ++image) {
            const int lane = image * layout.strips + x / width;
            Put(operands.out.base, in_.storage, first + c, image,
                Get(from, in_.storage, c, lane));
          }
        }
      }
    }
  }

 private:
  Op op_;
  const Setting& setting_;
  Value in_, out_;
};

}  // namespace

std::unique_ptr<Operation> MakePointwise(const Op& op,
                                         const Setting& setting) {
  return std::make_unique<Pointwise>(op, setting);
}

std::unique_ptr<Operation> MakePad(const Op& op, const Setting& setting) {
  return std::make_unique<Pad>(op, setting);
}

std::unique_ptr<Operation> MakeFlatten(const Op& op, const Setting& setting) {
  return std::make_unique<Flatten>(op, setting);
}

}  // namespace rcj::network
