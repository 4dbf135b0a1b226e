// Weights in the order in which the loops of cores.h want them.
#ifndef RCJ_NETWORK_WEIGHTS_H_
#define RCJ_NETWORK_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "network/patch.h"

namespace rcj::network {

// A convolution's weights by units of its input: words of as many weights as a
// unit has channels.
class UnitWeights {
 public:
  UnitWeights(const Op& op, const Value& in, int outputs, Unit unit);

  int units() const { return units_; }
  int taps() const { return size_ * size_; }
  // Of a unit, a tap and an output channel; 0 has no effect.
  uint32_t Word(int unit, int tap, int output) const;
  // The part of words that are not 0.
  double Density() const;

 private:
  const float* weights_;
  Unit unit_;
  Storage storage_;
  int size_, inputs_, outputs_, units_;
};

// The weights of all blocks of units that share a patch, one after the other.
// `rows` are output channels with those that fill up.
struct SparseWeights {
  // Of block b and output channel o: begin[b * (rows + 1) + o].
  std::vector<uint32_t> begin, words;
  std::vector<uint16_t> places;
};

SparseWeights SparseOf(const UnitWeights& weights, const Patch& patch,
                       int block, int rows);

struct DenseWeights {
  std::vector<uint32_t> words;   // [block][group][unit, tap][channel]
  std::vector<uint16_t> places;  // of a block's units and taps
};

DenseWeights DenseOf(const UnitWeights& weights, const Patch& patch, int block,
                     int rows, int channels);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_WEIGHTS_H_
