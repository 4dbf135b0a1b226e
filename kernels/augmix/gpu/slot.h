// The kernels that carry out one operation of every chain, cut where a block
// waits for all its threads: f(..., t) is the part of thread t.
#ifndef RCJ_AUGMIX_GPU_SLOT_H_
#define RCJ_AUGMIX_GPU_SLOT_H_

#include <cstdint>

#include "augmix/gpu/problem.h"
#include "augmix/gpu/rotations.h"
#include "augmix/gpu/table.h"

namespace rcj::augmix_gpu {

// Of a block.
struct CountMemory {
  uint32_t bins[3][256];
  unsigned long long grey;
};

RCJ_BOTH bool MustWrite(const Problem& problem, int64_t chain, int op) {
  return IsMove(op) && problem.chains[chain].move != kNone;
}

// The buffer that a chain's image is written to next.
RCJ_BOTH int NextBuffer(const Chain& chain) { return chain.source == 0; }

RCJ_BOTH bool NeedsPixels(const Problem& problem, int64_t chain, int d) {
  const int op = problem.Op(chain, d);
  return MustWrite(problem, chain, op) || NeedsBins(op) || op == kContrast;
}

// First kernel, parts 1 to 3: writes the image of a chain to its next buffer,
// or counts its values, as operation d needs it, in the range of a block.

RCJ_BOTH void ClearCounts(CountMemory& memory, int t) {
  for (int c = 0; c < 3; ++c) memory.bins[c][t] = 0;
  if (t == 0) memory.grey = 0;
}

RCJ_BOTH void VisitPixels(const Problem& problem, int64_t chain, int d,
                          Range range, CountMemory& memory, int t) {
  const int op = problem.Op(chain, d);
  const bool write = MustWrite(problem, chain, op);
  const View view = problem.Seen(chain);
  Pixel* buffer = nullptr;
  if (write) buffer = problem.Buffer(chain, NextBuffer(problem.chains[chain]));
  unsigned long long grey = 0;
  for (Walk at(range.begin + t, problem.W); at.i < range.end; at.Next()) {
    const Pixel p = Evaluate(view, at.x, at.y);
    if (write) {
      buffer[at.i] = p;
    } else if (op == kContrast) {
      grey += Grey(p);
    } else {
      for (int c = 0; c < 3; ++c) Add(&memory.bins[c][Channel(p, c)], 1u);
    }
  }
  if (op == kContrast) Add(&memory.grey, grey);
}

RCJ_BOTH void AddCounts(const Problem& problem, int64_t chain,
                        const CountMemory& memory, int t) {
  Statistics& all = problem.statistics[chain];
  for (int c = 0; c < 3; ++c) {
    const uint32_t count = memory.bins[c][t];
    if (count) Add(&all.bins[c][t], count);
  }
  if (t == 0 && memory.grey) Add(&all.grey, memory.grey);
}

// Second kernel, parts 1 to 4, one block a chain: takes operation d into the
// chain's state, and clears its statistics for the next.

RCJ_BOTH void ReadCounts(const Problem& problem, int64_t chain, int d,
                         Summary summary[3], int t) {
  if (!NeedsBins(problem.Op(chain, d))) return;
  Statistics& all = problem.statistics[chain];
  for (int c = 0; c < 3; ++c) {
    summary[c].below[t] = all.bins[c][t];
    all.bins[c][t] = 0;
  }
}

RCJ_BOTH void SummariseCounts(const Problem& problem, int64_t chain, int d,
                              Summary summary[3], int t) {
  if (t < 3 && NeedsBins(problem.Op(chain, d))) Summarise(summary[t]);
}

RCJ_BOTH void ComposeTable(const Problem& problem, int64_t chain, int d,
                           const Summary summary[3], int t) {
  const int op = problem.Op(chain, d);
  if (!IsTable(op)) return;
  Chain& state = problem.chains[chain];
  Table& table = state.move == kNone ? state.before : state.after;
  for (int c = 0; c < 3; ++c) {
    const int v = table.used ? table.value[c][t] : t;
    table.value[c][t] = static_cast<uint8_t>(
        NewValue(op, problem.Param(chain, d), summary[c],
                 problem.statistics[chain].grey, problem.Pixels(), v));
  }
}

RCJ_BOTH void SetMove(const Problem& problem, Chain& state, int op, double p,
                      const Rotations& rotations) {
  const double W = problem.W, H = problem.H;
  state.move = op;
  state.param[0] = op == kTranslateX   ? fmin(fmax(p, -W), W)
                   : op == kTranslateY ? fmin(fmax(p, -H), H)
                                       : p;
  if (op == kRotate) rotations.Matrix(p, problem.H, problem.W, state.param);
}

RCJ_BOTH void FinishOperation(const Problem& problem, int64_t chain, int d,
                              const Rotations& rotations, int t) {
  if (t != 0) return;
  const int op = problem.Op(chain, d);
  Chain& state = problem.chains[chain];
  problem.statistics[chain].grey = 0;
  if (IsTable(op)) {
    (state.move == kNone ? state.before : state.after).used = true;
  } else if (IsMove(op)) {
    if (state.move != kNone) {
      state.source = NextBuffer(state);
      state.before.used = state.after.used = false;
    }
    SetMove(problem, state, op, problem.Param(chain, d), rotations);
  }
}

// Before all operations, one block a chain.
RCJ_BOTH void Begin(const Problem& problem, int64_t chain, int t) {
  Statistics& all = problem.statistics[chain];
  for (int c = 0; c < 3; ++c) all.bins[c][t] = 0;
  if (t != 0) return;
  Chain& state = problem.chains[chain];
  all.grey = 0;
  state.source = -1;
  state.move = kNone;
  state.before.used = state.after.used = false;
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_SLOT_H_
