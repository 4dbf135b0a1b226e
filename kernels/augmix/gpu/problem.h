// The operands of a call, and where chains find their part of them.
#ifndef RCJ_AUGMIX_GPU_PROBLEM_H_
#define RCJ_AUGMIX_GPU_PROBLEM_H_

#include <cstdint>

#include "augmix/gpu/chain.h"
#include "augmix/gpu/pixel.h"

namespace rcj::augmix_gpu {

// B images with A versions each, of K chains of D operations; versions of an
// image are neighbours.
struct Problem {
  int64_t B;
  int A, K, D, H, W;
  bool clean;             // the first view is the image itself
  const uint8_t* images;  // [B,H,W,3]
  const int32_t* op;      // [B*A,K,D]
  const float* param;     // [B*A,K,D,3]
  const float* weights;   // [B*A,K]
  const float* m;         // [B*A]
  const float* scale;     // [3]
  const float* offset;    // [3]

  // Scratch memory.
  Chain* chains;           // [B*A*K]
  Statistics* statistics;  // [B*A*K]
  Pixel* buffers;          // [B*A*K,Buffers(),H,W]

  RCJ_BOTH int Pixels() const { return H * W; }
  RCJ_BOTH int64_t Chains() const { return B * A * K; }
  RCJ_BOTH int Views() const { return A + clean; }
  // A chain's image is written out at most D - 1 times, to and fro.
  RCJ_BOTH int Buffers() const { return D < 3 ? (D > 1) : 2; }

  RCJ_BOTH int Op(int64_t chain, int d) const { return op[chain * D + d]; }

  RCJ_BOTH double Param(int64_t chain, int d) const {
    const float* parts = param + 3 * (chain * D + d);
    return static_cast<double>(parts[0]) + parts[1] + parts[2];
  }

  RCJ_BOTH const uint8_t* Image(int64_t i) const {
    return images + 3 * i * Pixels();
  }

  RCJ_BOTH Pixel* Buffer(int64_t chain, int i) const {
    return buffers + (chain * Buffers() + i) * Pixels();
  }

  RCJ_BOTH View Seen(int64_t chain) const {
    const Chain& state = chains[chain];
    const Pixel* pixels = nullptr;
    if (state.source >= 0) pixels = Buffer(chain, state.source);
    return View(state, Image(chain / (A * K)), pixels, H, W);
  }
};

// Every kBlock-th pixel of an image, by place.
struct Walk {
  int i, x, y, W, across, down;

  RCJ_BOTH Walk(int i, int W)
      : i(i), x(i % W), y(i / W), W(W), across(kBlock % W), down(kBlock / W) {}

  // Without the divisions of a new start.
  RCJ_BOTH void Next() {
    i += kBlock;
    x += across;
    y += down;
    if (x >= W) {
      x -= W;
      ++y;
    }
  }
};

// Part i of n of a chain's pixels.
struct Range {
  int begin, end;

  RCJ_BOTH Range(int pixels, int i, int n)
      : begin(static_cast<int64_t>(pixels) * i / n),
        end(static_cast<int64_t>(pixels) * (i + 1) / n) {}
};

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_PROBLEM_H_
