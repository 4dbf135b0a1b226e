#include "network/patch.h"

#include <algorithm>

namespace rcj::network {
namespace {

// Units of a line, `apart` lines from each other.
template <Storage kStorage, Unit kUnit>
RCJ_INLINE void Split(Line line, const Step& step, Line* to, int64_t apart) {
  if constexpr (kUnit == Unit::kPair) {
    to[0] = line & 0x00ff00ff;
    to[apart] = (line >> 8) & 0x00ff00ff;
  } else if constexpr (kUnit == Unit::kFloat) {
    Floats values[4];
    Stored<kStorage>::Load(line, step, values);
    for (int j = 0; j < Stored<kStorage>::kChannels; ++j) {
      to[j * apart] = (Line)values[j];
    }
  } else {
    to[0] = line;
  }
}

// Units of input lines first..last of neighbouring pixels.
template <Storage kStorage, Unit kUnit, int kPixels>
RCJ_INLINE void Copy(const Line* const* from, int first, int last,
                     const Step& step, Line* to, int64_t apart) {
  const int64_t next = apart * UnitsOf(kStorage, kUnit);
  for (int i = first; i < last; ++i, to += next) {
    for (int k = 0; k < kPixels; ++k) {
      Split<kStorage, kUnit>(from[k][i], step, to + k, apart);
    }
  }
}

template <Storage kStorage, Unit kUnit>
void FillAs(const Patch& patch, const Window& from, int y, int x, int first,
            int last, const Step& step, Line* to) {
  const int64_t apart = patch.lines;
  const int count = static_cast<int>(patch.pixels.size());
  int known = -1;  // the row of the patch that `row` is
  const Line* row = nullptr;
  for (int i = 0; i < count; ++i) {
    const auto& pixel = patch.pixels[i];
    if (pixel.y != known) known = pixel.y, row = from.Row(y + known);
    const Place place = from.In(row, x + pixel.x);
    Line* at = to + pixel.at;
    if (place.shift) {
      const int64_t next = apart * UnitsOf(kStorage, kUnit);
      for (int c = first; c < last; ++c, at += next) {
        Split<kStorage, kUnit>(from.Read(place, c), step, at, apart);
      }
      continue;
    }
    // Two pixels fill a cache line.
    const auto& beside = patch.pixels[std::min(i + 1, count - 1)];
    if (beside.at == pixel.at + 1 && beside.y == pixel.y) {
      const Place second = from.In(row, x + beside.x);
      if (!second.shift) {
        const Line* both[] = {place.at, second.at};
        Copy<kStorage, kUnit, 2>(both, first, last, step, at, apart);
        ++i;
        continue;
      }
    }
    Copy<kStorage, kUnit, 1>(&place.at, first, last, step, at, apart);
  }
}

}  // namespace

int UnitsOf(Storage storage, Unit unit) {
  if (unit == Unit::kFloat) return Channels(storage);
  return unit == Unit::kPair ? 2 : 1;
}

int ChannelsOf(Storage storage, Unit unit, int index, int* channels) {
  const int units = UnitsOf(storage, unit), per = Channels(storage) / units;
  const int first = index / units * Channels(storage), j = index % units;
  // Pairs of bytes are split into even and odd ones.
  const int apart = unit == Unit::kPair ? 2 : 1;
  const int start = unit == Unit::kPair ? first + j : first + j * per;
  for (int i = 0; i < per; ++i) channels[i] = start + i * apart;
  return per;
}

Patch PatchOf(const Tile& tile, int size, int stride, int pitch) {
  Patch patch;
  const int phases = std::min(size, stride);
  const int reach = (size - 1) / stride;  // of any phase, in results
  const int height = tile.height + reach;
  patch.pitch = std::max(pitch, tile.width + reach);
  patch.lines = phases * phases * height * patch.pitch;
  for (int a = 0; a < phases; ++a) {
    for (int b = 0; b < phases; ++b) {
      const int plane = (a * phases + b) * height * patch.pitch;
      for (int i = 0; i < tile.height + (size - 1 - a) / stride; ++i) {
        for (int j = 0; j < tile.width + (size - 1 - b) / stride; ++j) {
          patch.pixels.push_back(
              {i * stride + a, j * stride + b, plane + i * patch.pitch + j});
        }
      }
    }
  }
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const int plane =
          (y % stride * phases + x % stride) * height * patch.pitch;
      patch.taps.push_back(plane + y / stride * patch.pitch + x / stride);
    }
  }
  return patch;
}

void Fill(const Patch& patch, const Window& from, int y, int x, int first,
          int last, Storage storage, const Step& step, Unit unit, Line* to) {
  const auto fill = [&](auto function) {
    function(patch, from, y, x, first, last, step, to);
  };
  if (unit == Unit::kPair) {
    fill(FillAs<Storage::kByte, Unit::kPair>);
  } else if (unit != Unit::kFloat || storage == Storage::kFloat) {
    fill(FillAs<Storage::kFloat, Unit::kFloat>);  // a copy
  } else if (storage == Storage::kBfloat16) {
    fill(FillAs<Storage::kBfloat16, Unit::kFloat>);
  } else {
    fill(FillAs<Storage::kByte, Unit::kFloat>);
  }
}

}  // namespace rcj::network
