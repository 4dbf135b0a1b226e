// From sums to results: scale, bias, addition, limits.
#ifndef RCJ_NETWORK_FINISH_H_
#define RCJ_NETWORK_FINISH_H_

#include <vector>

#include "network/program.h"
#include "network/rows.h"

namespace rcj::network {

// What becomes of a sum of output channel o.
struct Finish {
  const float* scale = nullptr;  // of sums of integers, null: floats
  const int32_t* less = nullptr;  // is subtracted from sums of integers
  const float* bias;
  Floats low, high;
  Step result, other, rounded;
  bool rounds = false;
};

inline Finish FinishOf(const Op& op, const std::vector<Value>& values) {
  Finish finish;
  finish.bias = op.bias;
  finish.low = Splat(op.low), finish.high = Splat(op.high);
  finish.result = values[op.output].step;
  if (op.other >= 0) finish.other = values[op.other].step;
  finish.rounds = op.rounds, finish.rounded = op.rounded;
  return finish;
}

RCJ_INLINE Floats Limited(Floats x, const Finish& finish) {
  return Min(Max(x, finish.low), finish.high);
}

// A line of results of channels o.. of their sums, which are `apart` from each
// other: of integers or floats. `other`, of the same storage, may be added.
template <class Stored, bool kIntegers, bool kAdds>
RCJ_INLINE Line Finished(const Finish& finish, const Line* sums, int64_t apart,
                         int o, const Line* other) {
  constexpr int kChannels = Stored::kChannels;
  Floats x[kChannels], added[kChannels];
  for (int j = 0; j < kChannels; ++j) {
    const Line sum = sums[j * apart];
    if constexpr (kIntegers) {
      x[j] = ToFloats(sum - finish.less[o + j]) * Splat(finish.scale[o + j]);
    } else {
      x[j] = (Floats)sum;
    }
    x[j] = x[j] + Splat(finish.bias[o + j]);
  }
  if constexpr (kAdds) {
    if (finish.rounds) {
      Stored::Load(Stored::Store(x, finish.rounded), finish.rounded, x);
    }
    Stored::Load(*other, finish.other, added);
    for (int j = 0; j < kChannels; ++j) x[j] = x[j] + added[j];
  }
  for (int j = 0; j < kChannels; ++j) x[j] = Limited(x[j], finish);
  return Stored::Store(x, finish.result);
}

// A line without what lies beyond the image, which is `zero`.
RCJ_INLINE Line Inside(Line line, const Columns& columns, int x, Line zero) {
  if (columns.inside.empty()) return line;
  const Ints inside = columns.inside[x];
  return (line & inside) | (zero & ~inside);
}

}  // namespace rcj::network

#endif  // RCJ_NETWORK_FINISH_H_
