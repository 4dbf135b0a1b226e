// The part of an image that a few neighbouring results are made of, copied to
// where it is small, dense and near.
#ifndef RCJ_NETWORK_PATCH_H_
#define RCJ_NETWORK_PATCH_H_

#include <cstdint>
#include <vector>

#include "network/rows.h"

namespace rcj::network {

// What is multiplied: a number, or a few, of every image, with a 32-bit word of
// as many weights.
enum class Unit {
  kFloat,     // a float
  kPair,      // two 16-bit integers
  kQuad,      // four unsigned bytes, by signed ones
  kHalfPair,  // two bfloat16
};

// Units of a line of that storage.
int UnitsOf(Storage storage, Unit unit);

// Input channels in the places of a unit, and how many there are.
int ChannelsOf(Storage storage, Unit unit, int index, int* channels);

struct Tile {
  int height, width;
};

// Which pixels a patch holds, and where: pixels whose distances from the tile's
// corner have the same remainder by the stride lie side by side, so that the
// taps of neighbouring results are neighbours whatever the stride is.
struct Patch {
  struct Pixel {
    int y, x;  // from the first input pixel of the tile
    int at;
  };
  std::vector<Pixel> pixels;
  std::vector<uint16_t> taps;  // place of each tap for the tile's first result
  int pitch;                   // from a row of the tile to the next
  int lines;                   // of a channel's units
};

// Of a tile; rows are at least `pitch` apart, or close where that is 0.
Patch PatchOf(const Tile& tile, int size, int stride, int pitch);

// Copies channels' units, those of input lines first..last, pixel by pixel;
// the units of a pixel are patch.lines apart.
void Fill(const Patch& patch, const Window& from, int y, int x, int first,
          int last, Storage storage, const Step& step, Unit unit, Line* to);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_PATCH_H_
