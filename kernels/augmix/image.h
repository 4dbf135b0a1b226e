// An image as three planes of bytes, and the places around them.
#ifndef RCJ_AUGMIX_IMAGE_H_
#define RCJ_AUGMIX_IMAGE_H_

#include <cstdint>

#include "corruptions/scratch.h"

namespace rcj::augmix {

constexpr int64_t kWidest = 64;  // bytes of the widest vector

constexpr int64_t RoundUp(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// Every plane has a margin of one pixel on each side for the warps, which
// `Pad` fills. Kernels may also write a vector beyond the end of a row, if
// they write rows from the first to the last, and read as far anywhere.
struct Image {
  int64_t H, W, stride;
  uint8_t* plane[3];  // the first pixel

  uint8_t* Row(int channel, int64_t y) const {
    return plane[channel] + y * stride;
  }
};

// An image of undefined pixels.
Image NewImage(Scratch& scratch, int64_t H, int64_t W);

// Repeats the outermost pixels into the margin of a plane.
void Pad(const Image& image, int channel);

// From pixel after pixel to planes, and back.
void Split(const uint8_t* pixels, const Image& image);
void Join(const Image& image, uint8_t* pixels);

// Swaps the rows and columns of a plane.
void Transpose(const Image& from, const Image& to, int channel);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_IMAGE_H_
