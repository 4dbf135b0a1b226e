// rcj_select_gpu: the kernels of select/select.cu, block by block and thread by
// thread on the host, to be tested where there is no GPU.
#include <cstring>
#include <vector>

#include "check/blocks.h"
#include "select/gpu/digits.h"
#include "select/gpu/execute.h"
#include "select/gpu/marks.h"

namespace rcj::select_gpu {
namespace {

struct Device {
  void Begin(const Problem& problem) const {
    Blocks(problem.G, [&](int64_t g) {
      Threads([&](int t) { BeginGroup(problem, g, t); });
    });
  }

  void Count(const Problem& problem, int known) const {
    Blocks(problem.blocks, [&](int64_t b) {
      auto memory = Undefined<CountMemory>();
      Threads([&](int t) { ClearCounts(memory, t); });
      Threads([&](int t) { CountValues(problem, b, known, memory, t); });
      Threads([&](int t) { AddCounts(problem, b, memory, t); });
    });
  }

  void Choose(const Problem& problem, int known) const {
    Blocks(problem.G, [&](int64_t g) {
      auto memory = Undefined<ChoiceMemory>();
      Threads([&](int t) { SumCounts(problem, g, memory, t); });
      Threads([&](int t) { select_gpu::Choose(problem, g, known, memory, t); });
      Threads([&](int t) { ResetCounts(problem, g, t); });
    });
  }

  void Mark(const Problem& problem) const {
    Blocks(problem.blocks, [&](int64_t b) {
      auto memory = Undefined<TieMemory>();
      Threads([&](int t) { MarkValues(problem, b, memory, t); });
      Threads([&](int t) { SumTies(problem, b, memory, t); });
    });
  }

  void Drop(const Problem& problem) const {
    Blocks(problem.G, [&](int64_t g) {
      auto memory = Undefined<TieMemory>();
      Threads([&](int t) { SumBlocks(problem, g, memory, t); });
      Threads([&](int t) { DropTies(problem, g, memory, t); });
    });
  }

  void Unmark(const Problem& problem) const {
    Blocks(problem.blocks, [&](int64_t b) {
      auto memory = Undefined<TieMemory>();
      if (problem.drop[b] == 0) return;
      Threads([&](int t) { CountTies(problem, b, memory, t); });
      Threads([&](int t) { UnmarkTies(problem, b, memory, t); });
    });
  }
};

ffi::Error Run(ffi::BufferR1<ffi::S32> k, ffi::RemainingArgs arrays,
               ffi::RemainingRets masks) {
  std::vector<rcj::Leaf> found;
  const ffi::Error wrong = ReadLeaves(k, arrays, masks, found);
  if (wrong.failure()) return wrong;
  Tables tables(found, k.element_count());
  auto counts = Scratch<uint32_t>(k.element_count() * kDigits);
  auto ties = Scratch<uint32_t>(tables.Blocks());
  auto drop = Scratch<uint32_t>(tables.Blocks());
  const Problem problem{k.typed_data(),
                        static_cast<int>(tables.groups.size()),
                        static_cast<int>(tables.leaves.size()),
                        tables.Blocks(),
                        tables.leaves.data(),
                        tables.groups.data(),
                        counts.data(),
                        ties.data(),
                        drop.data()};
  Execute(Device{}, problem);
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj::select_gpu

RCJ_HANDLER(select_gpu, rcj::select_gpu::Run,
            xla::ffi::Ffi::Bind()
                .Arg<xla::ffi::BufferR1<xla::ffi::S32>>()
                .RemainingArgs()
                .RemainingRets());
