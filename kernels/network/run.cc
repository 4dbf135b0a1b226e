// Runs a plan: groups of images, chains of operations, rows of results.
#include <algorithm>

#include "network/plan.h"
#include "network/team.h"

namespace rcj::network {
namespace {

// Rows y0..y1 of an operation's input that rows of its result are made of.
Part Needed(const Op& op, const Value& in, int y0, int y1) {
  const int from = y0 * op.stride - op.top;
  const int to = (y1 - 1) * op.stride - op.top + op.size;
  return {std::max(from, 0), std::min(to, in.h), 0, 0};
}

}  // namespace

std::unique_ptr<Arena> Plan::Borrow(int threads) {
  std::unique_ptr<Arena> arena;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      arena = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!arena) {
    arena = std::make_unique<Arena>();
    arena->lines = Allocated(lines_);
  }
  while (static_cast<int>(arena->scratch.size()) < threads) {
    arena->scratch.emplace_back();
    arena->rings.emplace_back();
  }
  return arena;
}

void Plan::Return(std::unique_ptr<Arena> arena) {
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(arena));
}

Rows Plan::RowsOf(const Arena& arena, int value) const {
  const Value& own = program_.values[value];
  return {arena.lines.get() + places_[value],
          int64_t{setting_.columns[value].width} * own.Pitch(), own.h};
}

void Plan::Run(const float* images, int64_t batch, float* logits,
               int threads) {
  const Value& image = program_.values[0];
  const int64_t size = int64_t{image.h} * image.w * 3;
  const int64_t classes = program_.values[program_.output].channels;
  const int own = setting_.layout.images;
  const int64_t groups = (batch + own - 1) / own;
  const auto run = [&](Arena& arena, int64_t group, int worker, int threads) {
    const int64_t first = group * own;
    const int count = std::min<int64_t>(own, batch - first);
    RunGroup(arena, {images + first * size, count}, logits + first * classes,
             worker, threads);
  };
  // Threads that have images of their own need not wait for each other.
  if (groups % threads == 0 || groups >= int64_t{4} * threads) {
    Share(threads, groups, [&](int64_t group, int) {
      auto arena = Borrow(1);
      run(*arena, group, 0, 1);
      Return(std::move(arena));
    });
    return;
  }
  auto arena = Borrow(threads);
  for (int64_t group = 0; group < groups; ++group) {
    run(*arena, group, 0, threads);
  }
  Return(std::move(arena));
}

void Plan::RunGroup(Arena& arena, const Images& images, float* logits,
                    int worker, int threads) const {
  for (const Chain& chain : chains_) {
    const auto parts = Split(chain, threads);
    Share(threads, parts.size(), [&](int64_t i, int w) {
      RunChain(chain, arena, images, parts[i], threads > 1 ? w : worker);
    });
  }
  const Rows found = RowsOf(arena, program_.output);
  const int classes = program_.values[program_.output].channels;
  for (int image = 0; image < images.count; ++image) {
    for (int c = 0; c < classes; ++c) {
      logits[int64_t{image} * classes + c] = ((Floats)found.base[c])[image];
    }
  }
}

std::vector<Part> Plan::Split(const Chain& chain, int threads) const {
  const Op& last = program_.ops[chain.last];
  const Value& value = program_.values[last.output];
  const int channels = value.channels;
  if (threads == 1 || !ByRows(last.kind)) return {{0, value.h, 0, channels}};
  const Operation& operation = *operations_[chain.last];
  const int step = operation.RowsAtOnce();
  const int tiles = (value.h + step - 1) / step;
  const int by = operation.ChannelsAtOnce();
  std::vector<Part> parts;
  if (chain.first == chain.last && tiles < 4 * threads && by > 0) {
    const int each = (channels / (2 * threads) + by - 1) / by * by;
    for (int c = 0; c < channels; c += std::max(each, by)) {
      parts.push_back(
          {0, value.h, c, std::min(channels, c + std::max(each, by))});
    }
    return parts;
  }
  const int wanted = chain.first == chain.last ? 4 * threads : threads;
  const int rows = ((tiles + wanted - 1) / wanted) * step;
  for (int y = 0; y < value.h; y += rows) {
    parts.push_back({y, std::min(value.h, y + rows), 0, channels});
  }
  return parts;
}

// Rows of a result that a chain keeps: those that the next operation needs at
// once, and those that are made at once.
int Plan::RowsHeld(const Chain& chain, int op) const {
  const Op& next = program_.ops[op + 1];
  const int made = RowsAtOnce(chain, op + 1);
  const int needed = (made - 1) * next.stride + next.size;
  const Value& value = program_.values[program_.ops[op].output];
  return std::min(value.h, needed + operations_[op]->RowsAtOnce());
}

int64_t Plan::RingLines(const Chain& chain, int op) const {
  const int value = program_.ops[op].output;
  return int64_t{RowsHeld(chain, op)} * setting_.columns[value].width *
         program_.values[value].Pitch();
}

// A chain under way: of each operation the rows of its result, and how many of
// them there are.
struct Plan::Progress {
  std::vector<Operands> operands;
  std::vector<int> done;
};

void Plan::RunChain(const Chain& chain, Arena& arena, const Images& images,
                    const Part& part, int worker) const {
  Progress progress = Begin(chain, arena, images, worker);
  // No row is made that nobody needs.
  Part need = part;
  for (int op = chain.last; op >= chain.first; --op) {
    progress.done[op - chain.first] = need.y0;
    if (op == chain.first) break;
    const Op& own = program_.ops[op];
    need = Needed(own, program_.values[own.input], need.y0, need.y1);
  }
  Advance(chain, chain.last, part.y1, part, arena.scratch[worker], progress);
}

Plan::Progress Plan::Begin(const Chain& chain, Arena& arena,
                           const Images& images, int worker) const {
  int64_t held = 0;
  for (int op = chain.first; op < chain.last; ++op) {
    held += RingLines(chain, op);
  }
  Line* ring = held ? arena.rings[worker].Lines(0, held) : nullptr;
  Progress progress;
  for (int op = chain.first; op <= chain.last; ++op) {
    const Op& own = program_.ops[op];
    Operands operands{{}, {}, RowsOf(arena, own.output), images};
    if (op > chain.first) {
      operands.in = progress.operands.back().out;
    } else if (own.input >= 0) {
      operands.in = RowsOf(arena, own.input);
    }
    if (own.other >= 0) operands.other = RowsOf(arena, own.other);
    if (op < chain.last) {
      operands.out.base = ring, operands.out.held = RowsHeld(chain, op);
      ring += RingLines(chain, op);
    }
    progress.operands.push_back(operands);
    progress.done.push_back(0);
  }
  return progress;
}

// Makes the rows of an operation's result up to y1, and what they are made of.
void Plan::Advance(const Chain& chain, int op, int y1, const Part& part,
                   Scratch& scratch, Progress& progress) const {
  int& done = progress.done[op - chain.first];
  const Op& own = program_.ops[op];
  const Value& value = program_.values[own.output];
  const bool alone = chain.first == chain.last, last = op == chain.last;
  while (done < y1) {
    int end = alone ? y1 : std::min(value.h, done + RowsAtOnce(chain, op));
    if (last) end = std::min(end, y1);
    if (op > chain.first) {
      const Value& in = program_.values[own.input];
      Advance(chain, op - 1, Needed(own, in, done, end).y1, part, scratch,
              progress);
    }
    const Part rows{done, end, alone ? part.c0 : 0,
                    alone ? part.c1 : value.channels};
    operations_[op]->Run(progress.operands[op - chain.first], rows, scratch);
    done = end;
  }
}

int Plan::RowsAtOnce(const Chain& chain, int op) const {
  const int own = operations_[op]->RowsAtOnce();
  return op == chain.last ? std::max(2, own) : own;
}

}  // namespace rcj::network
