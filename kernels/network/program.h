// A network as whoever wrote it describes it: numbers, not yet believed.
#ifndef RCJ_NETWORK_PROGRAM_H_
#define RCJ_NETWORK_PROGRAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "network/stored.h"

namespace rcj::network {

enum class Kind {
  kImage,  // no operation of a program, but the first of every network
  kConv,
  kDepthwise,
  kMaxPool,
  kMeanPool,
  kAdd,
  kRelu,
  kPad,
  kFlatten,
};

// A result: h * w pixels of some channels.
struct Value {
  int h, w, channels;
  Storage storage;
  Step step;
  bool flat = false;  // behind a mean or flattening: no pixels, one of 1 x 1

  int Lines() const {
    const int per = Channels(storage);
    return (channels + per - 1) / per;
  }

  // Lines from a pixel to the next: an odd number of cache lines, so that the
  // pixels of a window do not lie in the same places of a cache.
  int Pitch() const {
    constexpr int kCacheLine = kLineBytes < 64 ? 64 / kLineBytes : 1;
    const int count = (Lines() + kCacheLine - 1) / kCacheLine;
    if (h * w == 1 || count < 8) return Lines();
    return (count | 1) * kCacheLine;
  }
};

struct Op {
  Kind kind = Kind::kImage;
  int input = -1, other = -1, output = 0;  // values; -1 is none
  int size = 1, stride = 1, top = 0, left = 0;
  const float* weights = nullptr;  // [size][size][in][out]
  const float* bias = nullptr;     // [out]
  const float* scales = nullptr;   // [out], of integer weights
  float low, high;                 // limits of the result
  // A result that is rounded before `other` is added.
  bool rounds = false;
  Step rounded;
};

// What `Read` makes of a program. It points into the numbers.
struct Program {
  std::vector<Value> values;  // the image is the first
  std::vector<Op> ops;        // that of the image is the first
  const float* mean;          // of three channels, then their deviations
  int output;                 // a value of one pixel
};

// The program, or why it is none.
//
// `words` begin with the version (1), height and width of the image, storage
// (0 floats, 1 bfloat16, 2 bytes), places of the six floats of the
// normalisation and of the image's step, value of the logits, and number of
// operations. An operation takes 14 words: kind, input, other input, output
// channels, size, stride, zeros above and to the left, places of weights, bias,
// scales, of limits (two floats), of the steps of the result and of what is
// rounded before (scale, zero). A place is an index of `numbers`; -1 is none.
std::string Read(const int64_t* words, int64_t count, const float* numbers,
                 int64_t total, Program* program);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_PROGRAM_H_
