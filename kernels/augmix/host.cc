// AugMix for programs without XLA, by plain C.
#include <cstring>

#include "augmix/run.h"
#include "common/export.h"

// The operands of rcj_augmix as contiguous arrays; `shape` is B, A, H, W, K, D.
// Writes f32[B,A,H,W,3], or one view more, in this thread. Returns 0, or 1 for
// operands that are out of range, and says why in `fault`.
RCJ_EXPORT int rcj_augmix_run(const uint8_t* images, const int64_t* shape,
                              const int32_t* op, const float* param,
                              const float* weights, const float* m,
                              const float* scale, const float* offset,
                              int clean, float* out, char* fault,
                              int64_t fault_size) {
  using namespace rcj::augmix;  // NOLINT: this is one of its functions
  const int64_t B = shape[0], A = shape[1];
  const Batch batch{B, shape[2], shape[3], images,
                    {B * A, shape[4], shape[5], op, param}};
  const std::string text = batch.plan.Fault();
  if (!text.empty()) {
    std::strncpy(fault, text.c_str(), fault_size - 1);
    return 1;
  }
  if (batch.Values() == 0) return 0;
  const Mixture mixture{weights, m, scale, offset, clean != 0};
  for (int64_t i = 0; i < B; ++i) {
    WriteViews(batch, mixture, i, 0, A + mixture.clean, {out, false});
  }
  return 0;
}
