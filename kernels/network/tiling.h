// Which loop runs a convolution, on which tiles.
#ifndef RCJ_NETWORK_TILING_H_
#define RCJ_NETWORK_TILING_H_

#include "network/cores.h"

namespace rcj::network {

struct Shape {
  int height, width;  // of the results, the width that of a strip
  int size, stride, units, outputs;
  double density;  // part of the weights' words that are not 0
};

struct Choice {
  bool sparse;
  SparseCore run;   // if it is sparse
  DenseCore dense;  // if not
  Tile tile;
  int pitch, block;  // of the patch; units that it holds
};

Choice Chosen(const Shape& shape, const Cores& cores);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_TILING_H_
