#include "network/plan.h"

#include <algorithm>

namespace rcj::network {
namespace {

// Weights of a chain's operations, and values that are too large to be near.
constexpr int64_t kNearWeights = 192 << 10, kNearValue = 512 << 10;

MakeOperation MakerOf(Kind kind) {
  switch (kind) {
    case Kind::kImage:
      return MakeImage;
    case Kind::kConv:
      return MakeConvolution;
    case Kind::kDepthwise:
      return MakeDepthwise;
    case Kind::kMaxPool:
      return MakeMaxPool;
    case Kind::kMeanPool:
      return MakeMeanPool;
    case Kind::kPad:
      return MakePad;
    case Kind::kFlatten:
      return MakeFlatten;
    default:
      return MakePointwise;
  }
}

}  // namespace

bool ByRows(Kind kind) {
  return kind != Kind::kMeanPool && kind != Kind::kFlatten;
}

Plan::Plan(const Program& program, const Layout& layout, int total_stride)
    : program_(program) {
  setting_.program = &program;
  setting_.layout = layout;
  for (int by = 1 - layout.strips; by < layout.strips; ++by) {
    if (layout.strips > 1) setting_.shifts.push_back(Shifted(layout, by));
  }
  MeasureColumns(layout.Width(program.values[0].w, total_stride));
  for (const Value& value : program.values) {
    setting_.borders.emplace_back(value.Lines(),
                                  ZeroLine(value.storage, value.step));
  }
  for (const Op& op : program.ops) {
    operations_.push_back(MakerOf(op.kind)(op, setting_));
  }
  MakeChains();
  PlaceValues();
}

// Strips become narrower as images do. After a mean over pixels lanes are
// images.
void Plan::MeasureColumns(int strip) {
  for (const Op& op : program_.ops) {
    const Value& value = program_.values[op.output];
    const bool whole = setting_.layout.strips == 1 || value.flat;
    setting_.whole.push_back(whole);
    int width = value.w;
    if (!whole) {
      width = op.input < 0 ? strip
                           : setting_.columns[op.input].width / op.stride;
    }
    setting_.columns.push_back(
        whole ? Columns{width, {}}
              : ColumnsOf(setting_.layout, value.w, width));
  }
}

// Whether an operation can run row by row behind the one before it.
bool Plan::Follows(int op) const {
  const Op &own = program_.ops[op], &before = program_.ops[op - 1];
  if (!ByRows(own.kind) || !ByRows(before.kind)) return false;
  if (own.input != before.output) return false;
  for (size_t i = 0; i < program_.ops.size(); ++i) {
    const Op& reader = program_.ops[i];
    const bool reads =
        reader.input == before.output || reader.other == before.output;
    if (reads && (static_cast<int>(i) != op || own.other == before.output)) {
      return false;
    }
  }
  if (before.kind == Kind::kImage) return true;
  const Value& value = program_.values[before.output];
  const int64_t bytes = int64_t{value.h} * value.w * value.Lines() * kLineBytes;
  const int64_t weights =
      operations_[op]->WeightBytes() + operations_[op - 1]->WeightBytes();
  return bytes > kNearValue && weights < kNearWeights;
}

void Plan::MakeChains() {
  for (int op = 0; op < static_cast<int>(program_.ops.size()); ++op) {
    if (op > 0 && Follows(op)) {
      chains_.back().last = op;
    } else {
      chains_.push_back({op, op});
    }
  }
}

// Values live from the chain that makes them to the last that reads them; one
// that begins when another has ended takes its place.
void Plan::PlaceValues() {
  struct Live {
    int value, until;
    int64_t at, size;
  };
  places_.assign(program_.values.size(), -1);
  std::vector<Live> live;
  for (const Chain& chain : chains_) {
    const int made = program_.ops[chain.last].output;
    int until = made == program_.output ? static_cast<int>(program_.ops.size())
                                        : chain.last;
    for (int i = 0; i < static_cast<int>(program_.ops.size()); ++i) {
      const Op& op = program_.ops[i];
      if (i > 0 && (op.input == made || op.other == made)) {
        until = std::max(until, i);
      }
    }
    live.erase(std::remove_if(live.begin(), live.end(),
                              [&](const Live& x) {
                                return x.until < chain.first;
                              }),
               live.end());
    std::sort(live.begin(), live.end(),
              [](const Live& a, const Live& b) { return a.at < b.at; });
    const Value& value = program_.values[made];
    const int64_t size = (int64_t{value.h} * setting_.columns[made].width *
                              value.Pitch() + 63) / 64 * 64;
    int64_t at = 0;
    for (const Live& other : live) {
      if (at + size <= other.at) break;
      at = std::max(at, other.at + other.size);
    }
    live.push_back({made, until, at, size});
    places_[made] = at;
    lines_ = std::max(lines_, at + size);
  }
}

}  // namespace rcj::network
