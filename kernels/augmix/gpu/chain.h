// What is known of a chain of operations while it is carried out.
//
// A chain's image is never written unless it must be: it is a source, with a
// table of new values, an operation that needs the pixels' places or colours,
// and another table, which are evaluated together where a pixel is needed.
#ifndef RCJ_AUGMIX_GPU_CHAIN_H_
#define RCJ_AUGMIX_GPU_CHAIN_H_

#include <cstdint>

#include "augmix/plan.h"
#include "common/gpu.h"

namespace rcj::augmix_gpu {

using namespace augmix;  // NOLINT: the operations by name

// Marks the absence of an operation; other numbers that are no operation do
// nothing.
constexpr int32_t kNone = -1;

// New values of each channel; those of an unused table are not set.
struct Table {
  bool used;
  uint8_t value[3][256];
};

struct Chain {
  int32_t source;  // -1: the image, else the chain's buffer of that number
  int32_t move;    // an operation that is no table, or kNone
  double param[6];
  Table before, after;
};

// Counts of a chain's image at an operation that depends on the whole image.
struct Statistics {
  uint32_t bins[3][256];
  unsigned long long grey;  // the type that atomicAdd takes
};

RCJ_BOTH bool IsMove(int op) {
  return op == kRotate || (op >= kShearX && op <= kColor) || op == kSharpness;
}

RCJ_BOTH bool NeedsBins(int op) {
  return op == kAutocontrast || op == kEqualize;
}

RCJ_BOTH bool IsTable(int op) {
  return op >= kAutocontrast && op <= kSharpness && !IsMove(op);
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_CHAIN_H_
