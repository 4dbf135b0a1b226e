// rcj_select: counts s32[G] and f32 arrays -> bool arrays of the same shapes,
// true at the k largest values of all together (G = 1) or of each array. Of
// equal values those with the highest flat index stay, of -inf none.
#include <algorithm>
#include <vector>

#include "common/handlers.h"
#include "select/leaves.h"
#include "select/marks.h"
#include "select/sample.h"

namespace rcj {
namespace {

// Values that are ranked together, in pieces for threads, and their marks.
struct Group {
  std::vector<Run<float>> runs;
  std::vector<bool*> marks;
  int64_t count = 0;

  void Add(const Leaf& leaf) {
    count += leaf.count;
    AddRuns(leaf.values, leaf.count, runs);
    for (int64_t i = 0; i < leaf.count; i += kRun) {
      marks.push_back(leaf.marks + i);
    }
  }
};

void MarkLargest(ffi::ThreadPool& pool, const Group& group, int64_t k) {
  const int64_t pieces = group.runs.size();
  if (k <= 0) {
    ParallelFor(pool, pieces, [&](int64_t i) {
      std::fill_n(group.marks[i], group.runs[i].count, false);
    });
    return;
  }
  int64_t stay = k;  // of those that equal the k-th
  int32_t least = kLowest;
  if (k < group.count) least = KthOfMany(pool, group.runs, group.count, stay);
  if (least <= kMinusInf) {
    least = kMinusInf + 1;
    stay = k;
  }
  std::vector<int64_t> ties(pieces);
  ParallelFor(pool, pieces, [&](int64_t i) {
    ties[i] = Mark(group.runs[i], least, group.marks[i]);
  });
  int64_t excess = -stay;
  for (int64_t n : ties) excess += n;
  std::vector<int64_t> drop(pieces);
  for (int64_t i = 0; i < pieces && excess > 0; ++i) {
    drop[i] = std::min(excess, ties[i]);
    excess -= drop[i];
  }
  ParallelFor(pool, pieces, [&](int64_t i) {
    if (drop[i] == 0) return;
    Unmark(group.runs[i], least, ties[i], drop[i], group.marks[i]);
  });
}

ffi::Error Select(ffi::ThreadPool pool, ffi::BufferR1<ffi::S32> k,
                  ffi::RemainingArgs arrays, ffi::RemainingRets masks) {
  std::vector<Leaf> leaves;
  const ffi::Error wrong = ReadLeaves(k, arrays, masks, leaves);
  if (wrong.failure()) return wrong;
  std::vector<Group> groups(k.element_count());
  for (size_t i = 0; i < leaves.size(); ++i) {
    groups[groups.size() == 1 ? 0 : i].Add(leaves[i]);
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    MarkLargest(pool, groups[i], k.typed_data()[i]);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(select, rcj::Select,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::ThreadPool>()
                .Arg<xla::ffi::BufferR1<xla::ffi::S32>>()
                .RemainingArgs()
                .RemainingRets());
