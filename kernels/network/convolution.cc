// Convolution and matrix product, with zeros among the weights or without.
#include <algorithm>

#include "network/cores.h"
#include "network/finish.h"
#include "network/operation.h"
#include "network/tiling.h"
#include "network/weights.h"

namespace rcj::network {
namespace {

// Of any tile.
constexpr int kMostResults = 32;

int Up(int x, int to) { return (x + to - 1) / to * to; }

class Convolution : public Operation {
 public:
  Convolution(const Op& op, const Setting& setting)
      : op_(op), setting_(setting), in_(setting.ValueOf(op.input)),
        out_(setting.ValueOf(op.output)), rows_(Up(out_.channels, 8)),
        unit_(UnitFor(in_.storage, op.scales != nullptr)),
        finish_(FinishOf(op, setting.program->values)) {
    const UnitWeights weights(op, in_, out_.channels, unit_);
    units_ = weights.units();
    Shape shape{out_.h, setting.columns[op.output].width, op.size, op.stride,
                weights.units(), out_.channels, weights.Density()};
    choice_ = Chosen(shape, CoresOf(unit_));
    patch_ = PatchOf(choice_.tile, op.size, op.stride, choice_.pitch);
    if (choice_.sparse) {
      sparse_ = SparseOf(weights, patch_, choice_.block, rows_);
    } else {
      dense_ = DenseOf(weights, patch_, choice_.block, rows_,
                       choice_.dense.channels);
    }
    Correct(weights);
  }

  int RowsAtOnce() const override { return choice_.tile.height; }
  int ChannelsAtOnce() const override { return 8; }
  int64_t WeightBytes() const override {
    return 6 * sparse_.words.size() + 4 * dense_.words.size();
  }

  void Run(const Operands& operands, const Part& part,
           Scratch& scratch) const override {
    const Window window = setting_.WindowOf(op_.input, operands.in);
    const int width = setting_.columns[op_.output].width;
    Line* patch = scratch.Lines(0, PatchLines());
    Line* sums = scratch.Lines(1, int64_t{rows_} * Apart());
    const auto run = [&](const Results& results) {
      Multiply(window, results, part, patch, sums);
      Store(operands, results, part, sums);
    };
    if (op_.size == 1) {
      const int count = choice_.tile.height * choice_.tile.width;
      const int64_t all = int64_t{part.y1 - part.y0} * width;
      for (int64_t i = 0; i < all; i += count) {
        run(Next(part.y0 + i / width, i % width, width,
                 std::min<int64_t>(count, all - i)));
      }
      return;
    }
    for (int y = part.y0; y < part.y1; y += choice_.tile.height) {
      for (int x = 0; x < width; x += choice_.tile.width) {
        run(Grid(y, x, std::min(part.y1 - y, choice_.tile.height),
                 std::min(width - x, choice_.tile.width)));
      }
    }
  }

 private:
  // Results of a tile, and which of a channel's sums they are.
  struct Results {
    struct Pixel {
      int y, x, sum;
    };
    Pixel pixels[kMostResults];
    int count = 0;
    uint16_t spots[kMostResults];  // of a dense loop
    int spot_count = 0;
  };

  // Pixels one after the other, from row to row.
  Results Next(int y, int x, int width, int count) const {
    Results results;
    results.count = count;
    for (int i = 0; i < count; ++i) {
      results.pixels[i] = {y, x, i};
      if (++x == width) x = 0, ++y;
    }
    const int own = choice_.sparse ? 1 : choice_.dense.results;
    for (int i = 0; i < count; i += own) {
      results.spots[results.spot_count++] = i;
    }
    return results;
  }

  Results Grid(int y, int x, int height, int width) const {
    Results results;
    const int own = choice_.sparse ? 1 : choice_.dense.results;
    const int pitch = choice_.sparse ? choice_.tile.width : Up(width, own);
    for (int i = 0; i < height; ++i) {
      for (int j = 0; j < width; ++j) {
        results.pixels[results.count++] = {y + i, x + j, i * pitch + j};
        if (j % own == 0) {
          results.spots[results.spot_count++] = i * patch_.pitch + j;
        }
      }
    }
    return results;
  }

  // A loop may read a little beyond the patch.
  int64_t PatchLines() const {
    return int64_t{patch_.lines} * std::min(choice_.block, units_) + 64;
  }

  // Sums of a channel.
  int Apart() const {
    const int all = choice_.tile.height * choice_.tile.width;
    return choice_.sparse ? all : Up(all, choice_.dense.results);
  }

  void Multiply(const Window& window, const Results& results, const Part& part,
                Line* patch, Line* sums) const {
    const int per = UnitsOf(in_.storage, unit_);
    for (int first = 0, b = 0; first < units_; first += choice_.block, ++b) {
      const int last = std::min(units_, first + choice_.block);
      FillPatch(window, results, first / per, last / per, patch);
      const int count = Up(part.c1, 8) - part.c0;
      if (choice_.sparse) {
        const int64_t at = int64_t{b} * (rows_ + 1) + part.c0;
        choice_.run(patch, sparse_.begin.data() + at, sparse_.places.data(),
                    sparse_.words.data(), count, sums, b == 0);
        continue;
      }
      const int taps = op_.size * op_.size, all = (last - first) * taps;
      const uint32_t* words = dense_.words.data() +
                              int64_t{first} * taps * rows_ +
                              int64_t{part.c0} * all;
      choice_.dense.run(patch, dense_.places.data(), all, words,
                        count / choice_.dense.channels, results.spots,
                        results.spot_count, sums, Apart(), b == 0);
    }
  }

  void FillPatch(const Window& window, const Results& results, int first,
                 int last, Line* patch) const {
    const auto& from = results.pixels[0];
    if (op_.size > 1) {
      Fill(patch_, window, from.y * op_.stride - op_.top,
           from.x * op_.stride - op_.left, first, last, in_.storage, in_.step,
           unit_, patch);
      return;
    }
    Patch own = Patch{{}, {}, 0, patch_.lines};
    for (int i = 0; i < results.count; ++i) {
      const auto& pixel = results.pixels[i];
      own.pixels.push_back({pixel.y * op_.stride - op_.top,
                            pixel.x * op_.stride - op_.left, i});
    }
    Fill(own, window, 0, 0, first, last, in_.storage, in_.step, unit_, patch);
  }

  // Where the lines of each result go, and those that are added to them.
  struct Targets {
    Line* to[kMostResults];
    const Line* other[kMostResults];
  };

  void Store(const Operands& operands, const Results& results,
             const Part& part, const Line* sums) const {
    Targets targets;
    for (int i = 0; i < results.count; ++i) {
      const auto& pixel = results.pixels[i];
      const int64_t at = int64_t{pixel.x} * out_.Pitch();
      targets.to[i] = operands.out.At(pixel.y) + at;
      if (op_.other >= 0) targets.other[i] = operands.other.At(pixel.y) + at;
    }
    Dispatch(out_.storage, [&](auto stored) {
      using Own = decltype(stored);
      if (op_.scales && op_.other >= 0) {
        StoreAs<Own, true, true>(targets, results, part, sums);
      } else if (op_.scales) {
        StoreAs<Own, true, false>(targets, results, part, sums);
      } else if (op_.other >= 0) {
        StoreAs<Own, false, true>(targets, results, part, sums);
      } else {
        StoreAs<Own, false, false>(targets, results, part, sums);
      }
    });
    Mask(targets, results, part);
  }

  template <class Own, bool kIntegers, bool kAdds>
  void StoreAs(const Targets& targets, const Results& results,
               const Part& part, const Line* sums) const {
    constexpr int kChannels = Own::kChannels;
    const Finish finish = finish_;  // else it is read anew for every line
    const int64_t apart = Apart();
    const int last = (part.c1 + kChannels - 1) / kChannels;
    // Two lines are neighbours in a cache line.
    for (int c = part.c0 / kChannels; c < last; c += 2) {
      const Line* own = sums + (int64_t{c} * kChannels - part.c0) * apart;
      const int count = std::min(2, last - c);
      for (int i = 0; i < results.count; ++i) {
        const Line* from = own + results.pixels[i].sum;
        for (int k = 0; k < count; ++k) {
          targets.to[i][c + k] = Finished<Own, kIntegers, kAdds>(
              finish, from + k * kChannels * apart, apart,
              (c + k) * kChannels, kAdds ? targets.other[i] + c + k : nullptr);
        }
      }
    }
  }

  // Zeros beyond the image.
  void Mask(const Targets& targets, const Results& results,
            const Part& part) const {
    const Columns& columns = setting_.columns[op_.output];
    if (columns.inside.empty()) return;
    const int per = Channels(out_.storage);
    const Line zero = setting_.borders[op_.output][0];
    for (int i = 0; i < results.count; ++i) {
      for (int c = part.c0 / per; c < (part.c1 + per - 1) / per; ++c) {
        Line& line = targets.to[i][c];
        line = Inside(line, columns, results.pixels[i].x, zero);
      }
    }
  }

  // Biases and scales for all rows; sums of integers lack what zeros, which
  // stand for 0, add to them.
  void Correct(const UnitWeights& weights) {
    bias_.assign(rows_, 0.0f), scales_.assign(rows_, 0.0f);
    std::copy(op_.bias, op_.bias + out_.channels, bias_.begin());
    finish_.bias = bias_.data();
    if (!op_.scales) return;
    const int64_t rows = int64_t{weights.taps()} * in_.channels;
    for (int o = 0; o < out_.channels; ++o) {
      double sum = 0;
      for (int64_t r = 0; r < rows; ++r) {
        sum += op_.weights[r * out_.channels + o];
      }
      scales_[o] = in_.step.scale * op_.scales[o];
      less_.push_back(static_cast<int32_t>(sum * in_.step.zero));
    }
    less_.resize(rows_);
    finish_.scale = scales_.data(), finish_.less = less_.data();
  }

  Op op_;
  const Setting& setting_;
  Value in_, out_;
  int rows_;  // output channels with those that fill up
  Unit unit_;
  int units_;  // of the input
  Finish finish_;
  Choice choice_;
  Patch patch_;
  SparseWeights sparse_;
  DenseWeights dense_;
  std::vector<float> bias_, scales_;
  std::vector<int32_t> less_;
};

}  // namespace

std::unique_ptr<Operation> MakeConvolution(const Op& op,
                                           const Setting& setting) {
  return std::make_unique<Convolution>(op, setting);
}

}  // namespace rcj::network
