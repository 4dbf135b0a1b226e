#include "network/cores.h"

#include "network/loops.h"
#include "network/newer.h"

namespace rcj::network {
namespace {

struct OfFloats {
  static RCJ_INLINE void Add(Line* sum, Line x, Line w) {
    *sum = (Line)Fma((Floats)x, (Floats)w, (Floats)*sum);
  }
};

struct OfPairs {
  static RCJ_INLINE void Add(Line* sum, Line x, Line w) {
#ifdef RCJ_NATIVE_LANES
    *sum += (Line)RCJ_SIMD(madd_epi16)((simd::Bytes)x, (simd::Bytes)w);
#else
    // x is not negative.
    *sum += (x & 0xffff) * ((w << 16) >> 16) + (x >> 16) * (w >> 16);
#endif
  }
};

}  // namespace

const Cores& CoresOf(Unit unit) {
  if (unit == Unit::kFloat) return CoresFor<OfFloats>::kCores;
  if (unit == Unit::kPair) return CoresFor<OfPairs>::kCores;
  return *NewerCores(unit);
}

Unit UnitFor(Storage storage, bool integers) {
  if (storage == Storage::kFloat) return Unit::kFloat;
  if (storage == Storage::kByte && !integers) return Unit::kFloat;
  const bool bytes = storage == Storage::kByte;
  const Unit newer = bytes ? Unit::kQuad : Unit::kHalfPair;
  if (NewerCores(newer)) return newer;
  return bytes ? Unit::kPair : Unit::kFloat;
}

}  // namespace rcj::network
