// A call: its tables, and the order of its kernels on whatever runs them.
#ifndef RCJ_SELECT_GPU_EXECUTE_H_
#define RCJ_SELECT_GPU_EXECUTE_H_

#include <vector>

#include "select/gpu/problem.h"
#include "select/leaves.h"

namespace rcj::select_gpu {

struct Tables {
  std::vector<Leaf> leaves;
  std::vector<Group> groups;

  Tables(const std::vector<rcj::Leaf>& arrays, int64_t groups_wanted)
      : groups(groups_wanted, Group{}) {
    int64_t blocks = 0;
    for (size_t i = 0; i < arrays.size(); ++i) {
      const int g = groups.size() == 1 ? 0 : i;
      const auto& array = arrays[i];
      if (i == 0 || g > 0) groups[g].first = blocks;
      leaves.push_back({array.values, array.marks, array.count, blocks, g});
      blocks += (array.count + kPiece - 1) / kPiece;
      groups[g].end = blocks;
    }
  }

  int64_t Blocks() const { return groups.back().end; }
};

template <class Device>
void Execute(const Device& device, const Problem& problem) {
  device.Begin(problem);
  for (int known = 32; known > 0; known = Shift(known)) {
    device.Count(problem, known);
    device.Choose(problem, known);
  }
  device.Mark(problem);
  device.Drop(problem);
  device.Unmark(problem);
}

}  // namespace rcj::select_gpu

#endif  // RCJ_SELECT_GPU_EXECUTE_H_
