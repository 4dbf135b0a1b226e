#include "augmix/plan.h"

#include <cmath>

#include "augmix/warps.h"

namespace rcj::augmix {
namespace {

constexpr int kEmpty = -1;

// What is wrong with a slot that follows `previous` in its chain.
std::string SlotFault(int op, int previous, double param) {
  if (op < kEmpty || op >= kOps) {
    return "operations are " + std::to_string(kEmpty) + " (none) to " +
           std::to_string(kOps - 1) + ", got " + std::to_string(op);
  }
  if (op == kEmpty) return "";
  const auto fault = [&](const char* expected) {
    return "operation " + std::to_string(op) + " takes " + expected +
           ", got " + std::to_string(param);
  };
  if (previous == kEmpty) return "empty slots must follow all used ones";
  if (!std::isfinite(param)) return fault("a finite parameter");
  if (op == kPosterize && !(1 <= param && param < 9)) {
    return fault("1 to 8 bits");
  }
  if (op == kRotate && !(std::abs(param) < kMaxDegrees + 1)) {
    return fault("-30 to 30 degrees");
  }
  if (op == kSolarize && !(-1 < param && param < 257)) {
    return fault("a threshold in 0 to 256");
  }
  return "";
}

}  // namespace

std::string Plan::Fault() const {
  for (int64_t slot = 0; slot < N * K * D; ++slot) {
    const int previous = slot % D ? op[slot - 1] : 0;
    const std::string fault = SlotFault(op[slot], previous, Param(slot));
    if (fault.empty()) continue;
    const int64_t chain = slot / D;
    return fault + " in op[" + std::to_string(chain / K) + "," +
           std::to_string(chain % K) + "," + std::to_string(slot % D) + "]";
  }
  return "";
}

}  // namespace rcj::augmix
