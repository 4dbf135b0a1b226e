// The weighted sum of images, normalised, pixel after pixel.
#ifndef RCJ_AUGMIX_MIX_H_
#define RCJ_AUGMIX_MIX_H_

#include "augmix/image.h"
#include "augmix/tone.h"

namespace rcj::augmix {

// One image of a mixture, as its tone shows it.
struct Layer {
  Image image;
  const Tone* tone;  // null for the image as it is
  float weight;
};

// bfloat16 is stored as its bits.
struct Output {
  void* views;
  bool bfloat16;

  Output From(int64_t value) const {
    const int64_t size = bfloat16 ? 2 : 4;
    return {static_cast<char*>(views) + size * value, bfloat16};
  }
};

// out = offset + scale * sum of weight * value, over the layers.
void Mix(const Layer* layers, int64_t count, const float* scale,
         const float* offset, Scratch& scratch, const Output& out);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_MIX_H_
