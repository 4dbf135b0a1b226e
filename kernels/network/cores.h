// The loops where the time goes: a patch times weights.
#ifndef RCJ_NETWORK_CORES_H_
#define RCJ_NETWORK_CORES_H_

#include <cstdint>

#include "network/patch.h"

namespace rcj::network {

// Adds to the sums of `count` output channels, each of a tile's results, the
// products with weights that are not zero: those of channel o are begin[o] to
// begin[o + 1], each a place in the patch and a word. `first` begins from 0.
using SparseCore = void (*)(const Line* patch, const uint32_t* begin,
                            const uint16_t* places, const uint32_t* words,
                            int count, Line* sums, bool first);

// The same with all weights, `channels` output channels at a time, which share
// the places: words are [group][place][channel]. A spot is a place of a few
// neighbouring results, `results` of them, and there are `sums_apart` sums of a
// channel.
struct DenseCore {
  void (*run)(const Line* patch, const uint16_t* places, int count,
              const uint32_t* words, int groups, const uint16_t* spots,
              int spot_count, Line* sums, int sums_apart, bool first);
  int channels, results;
};

// Tiles for which there are sparse loops, up to a tile of height 0, and how far
// apart the rows of their patches are beyond their width.
struct SparseTile {
  Tile tile;
  int beyond;
  SparseCore run;
};

// What a unit can be on this processor.
struct Cores {
  const SparseTile* sparse;
  DenseCore dense, vector;  // for many results, and for one
};

const Cores& CoresOf(Unit unit);

// The unit for weights of floats, bfloat16 or integers, as fast as it gets.
Unit UnitFor(Storage storage, bool integers);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_CORES_H_
