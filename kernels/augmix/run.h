// Plans executed on images, one image at a time.
#ifndef RCJ_AUGMIX_RUN_H_
#define RCJ_AUGMIX_RUN_H_

#include "augmix/mix.h"
#include "augmix/plan.h"

namespace rcj::augmix {

// B images with A versions each; versions of an image are neighbours.
struct Batch {
  int64_t B, H, W;
  const uint8_t* images;  // [B,H,W,3]
  Plan plan;              // of N = B * A

  int64_t Versions() const { return B ? plan.N / B : 0; }
  int64_t Values() const { return 3 * H * W; }
};

// How versions are mixed and normalised.
struct Mixture {
  const float* weights;  // [N,K]
  const float* m;        // [N]
  const float* scale;    // [3]
  const float* offset;   // [3]
  bool clean;            // whether the first view is the image itself
};

// Writes the views begin <= v < end of image i, to `out` + [i,v].
void WriteViews(const Batch& batch, const Mixture& mixture, int64_t i,
                int64_t begin, int64_t end, const Output& out);

// Writes the chains of version n, u8[K,H,W,3].
void WriteChains(const Batch& batch, int64_t n, uint8_t* out);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_RUN_H_
