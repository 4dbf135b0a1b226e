// What AugMix does to a batch of images: the operands of rcj_augmix.
#ifndef RCJ_AUGMIX_PLAN_H_
#define RCJ_AUGMIX_PLAN_H_

#include <cstdint>
#include <string>

namespace rcj::augmix {

// In the order of rcj.augment.ops.NAMES.
enum Op {
  kAutocontrast,
  kEqualize,
  kPosterize,
  kRotate,
  kSolarize,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kColor,
  kContrast,
  kBrightness,
  kSharpness,
  kOps
};

// K chains of D slots for each of N versions of images; see rcj.augment.Plan.
struct Plan {
  int64_t N, K, D;
  const int32_t* op;     // [N,K,D]
  const float* param;    // [N,K,D,3]

  double Param(int64_t slot) const {
    const float* parts = param + 3 * slot;
    return static_cast<double>(parts[0]) + parts[1] + parts[2];
  }

  // Empty, or what is wrong with which slot.
  std::string Fault() const;
};

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_PLAN_H_
