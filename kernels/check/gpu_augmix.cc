// rcj_augmix_gpu: the kernels of augmix/augmix.cu, block by block and thread by
// thread on the host, to be tested where there is no GPU.
#include "augmix/gpu/execute.h"
#include "augmix/gpu/operands.h"
#include "augmix/gpu/slot.h"
#include "check/blocks.h"

namespace rcj::augmix_gpu {
namespace {

struct Device {
  void Begin(const Problem& problem) const {
    Blocks(problem.Chains(), [&](int64_t i) {
      Threads([&](int t) { augmix_gpu::Begin(problem, i, t); });
    });
  }

  void Visit(const Problem& problem, int d, int parts) const {
    Blocks(problem.Chains() * parts, [&](int64_t block) {
      const int64_t chain = block / parts;
      if (!NeedsPixels(problem, chain, d)) return;
      auto memory = Undefined<CountMemory>();
      const Range range(problem.Pixels(), block % parts, parts);
      Threads([&](int t) { ClearCounts(memory, t); });
      Threads([&](int t) { VisitPixels(problem, chain, d, range, memory, t); });
      Threads([&](int t) { AddCounts(problem, chain, memory, t); });
    });
  }

  void Operate(const Problem& problem, int d) const {
    static const Rotations rotations;
    Blocks(problem.Chains(), [&](int64_t i) {
      struct Memory {
        Summary summary[3];
      };
      auto memory = Undefined<Memory>();
      Summary* summary = memory.summary;
      Threads([&](int t) { ReadCounts(problem, i, d, summary, t); });
      Threads([&](int t) { SummariseCounts(problem, i, d, summary, t); });
      Threads([&](int t) { ComposeTable(problem, i, d, summary, t); });
      Threads([&](int t) { FinishOperation(problem, i, d, rotations, t); });
    });
  }

  template <class T>
  void Mix(const Problem& problem, int tiles, T* out) const {
    Blocks(problem.B * problem.Views() * tiles, [&](int64_t b) {
      const Place place(problem, tiles, b);
      T* view = out + 3 * place.view * problem.Pixels();
      if (place.row < 0) {
        Threads([&](int t) {
          WriteClean(problem, place.image, place.first, view, t);
        });
        return;
      }
      auto memory = Undefined<MixMemory>();
      Threads([&](int t) {
        MixPixels(problem, place.row, place.first, memory, t);
      });
      Threads([&](int t) { WriteView(problem, place.first, memory, view, t); });
    });
  }
};

ffi::Error Run(ffi::BufferR4<ffi::U8> images, ffi::BufferR3<ffi::S32> op,
               ffi::BufferR4<ffi::F32> param, ffi::BufferR2<ffi::F32> weights,
               ffi::BufferR1<ffi::F32> m, ffi::BufferR1<ffi::F32> scale,
               ffi::BufferR1<ffi::F32> offset,
               ffi::Result<ffi::AnyBuffer> views, bool clean) {
  const Operands operands{images, op,     param,  weights, m,
                          scale,  offset, *views, clean};
  Problem problem{};
  const ffi::Error wrong = operands.Read(problem);
  if (wrong.failure() || views->element_count() == 0) return wrong;
  // Little, so that small batches go in parts too.
  const int64_t together = Together(problem, 100'000);
  const int64_t count = together * problem.A * problem.K;
  auto chains = Scratch<Chain>(count);
  auto statistics = Scratch<Statistics>(count);
  auto buffers = Scratch<Pixel>(count * problem.Buffers() * problem.Pixels());
  problem.chains = chains.data();
  problem.statistics = statistics.data();
  problem.buffers = buffers.data();
  void* out = views->untyped_data();
  if (views->element_type() == ffi::F32) {
    Execute(Device{}, problem, together, static_cast<float*>(out));
  } else {
    Execute(Device{}, problem, together, static_cast<uint16_t*>(out));
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj::augmix_gpu

RCJ_HANDLER(augmix_gpu, rcj::augmix_gpu::Run,
            rcj::augmix_gpu::BindOperands(xla::ffi::Ffi::Bind()));
