#include "network/program.h"

#include <cmath>

namespace rcj::network {
namespace {

constexpr int64_t kHeader = 8, kWords = 14;
constexpr int64_t kMaxSide = 1 << 13, kMaxChannels = 1 << 20;
constexpr int64_t kMaxOps = 4096, kMaxValues = int64_t{1} << 26;

struct Reader {
  const int64_t* words;
  const float* numbers;
  int64_t total;
  Program* program;
  Storage storage = Storage::kFloat;
  std::string fault;

  bool Fail(int64_t op, const std::string& what) {
    fault = "operation " + std::to_string(op) + ": " + what;
    return false;
  }

  // `count` numbers, or null where there is no place for them.
  const float* Numbers(int64_t place, int64_t count) const {
    if (place < 0 || count < 1 || place > total - count) return nullptr;
    return numbers + place;
  }

  bool ReadStep(int64_t place, Step* step) const {
    const float* found = Numbers(place, 2);
    if (!found) return false;
    *step = {found[0], found[1]};
    return step->scale > 0 && std::isfinite(step->scale) && step->zero >= 0 &&
           step->zero <= 255 && step->zero == std::floor(step->zero);
  }

  bool ReadHeader();
  bool ReadOp(int64_t i, const int64_t* word);
  bool ReadShape(int64_t i, const int64_t* word, Op* op, Value* value);
  bool ReadNumbers(int64_t i, const int64_t* word, Op* op, Value* value);
};

bool Within(int64_t x, int64_t low, int64_t high) {
  return low <= x && x <= high;
}

// Whether weights are signed bytes of which sums with unsigned ones stay within
// 32 bits.
bool AreIntegers(const float* weights, int64_t products, int64_t outputs) {
  if (products > INT32_MAX / (255 * 128)) return false;
  for (int64_t i = 0; i < products * outputs; ++i) {
    const float x = weights[i];
    if (!(x >= -128 && x <= 127 && x == std::floor(x))) return false;
  }
  return true;
}

bool Reader::ReadHeader() {
  const bool known = words[0] == 1 && Within(words[3], 0, 2);
  if (!known || !Within(words[1], 1, kMaxSide) ||
      !Within(words[2], 1, kMaxSide)) {
    return Fail(-1, "not a header of this version");
  }
  storage = static_cast<Storage>(words[3]);
  Value image{static_cast<int>(words[1]), static_cast<int>(words[2]), 3,
              storage, {}};
  if (storage == Storage::kByte && !ReadStep(words[5], &image.step)) {
    return Fail(-1, "no step of the image");
  }
  program->mean = Numbers(words[4], 6);
  if (!program->mean) return Fail(-1, "no normalisation");
  program->values.push_back(image);
  Op first;
  first.low = -INFINITY, first.high = INFINITY;
  program->ops.push_back(first);
  return true;
}

bool Reader::ReadShape(int64_t i, const int64_t* word, Op* op, Value* value) {
  const int64_t known = i + 1;
  if (!Within(word[0], 1, static_cast<int64_t>(Kind::kFlatten)) ||
      !Within(word[1], 0, known - 1) || !Within(word[2], -1, known - 1)) {
    return Fail(i, "unknown kind or value");
  }
  op->kind = static_cast<Kind>(word[0]);
  op->input = word[1], op->other = word[2], op->output = i + 1;
  const Value& in = program->values[op->input];
  if (!Within(word[3], 1, kMaxChannels) || !Within(word[4], 1, 15) ||
      !Within(word[5], 1, 4) || !Within(word[6], 0, word[4] - 1) ||
      !Within(word[7], 0, word[4] - 1)) {
    return Fail(i, "sizes out of range");
  }
  op->size = word[4], op->stride = word[5];
  op->top = word[6], op->left = word[7];
  *value = {(in.h + op->stride - 1) / op->stride,
            (in.w + op->stride - 1) / op->stride,
            static_cast<int>(word[3]), storage, {}};
  const bool same = value->channels == in.channels;
  const bool plain = op->size == 1 && op->stride == 1;
  bool fits = same;
  switch (op->kind) {
    case Kind::kConv:
      fits = true;
      break;
    case Kind::kMaxPool:
      if (op->size == 2) value->h = in.h / 2, value->w = in.w / 2;
      fits = same && Within(op->size, 2, 3) && op->stride == 2;
      break;
    case Kind::kMeanPool:
      value->h = value->w = 1, value->flat = true;
      fits = same && plain && !in.flat;
      break;
    case Kind::kPad:
      fits = value->channels >= in.channels && op->size == 1;
      break;
    case Kind::kFlatten:
      fits = value->channels == int64_t{in.channels} * in.h * in.w;
      fits = fits && plain && !in.flat;
      value->h = value->w = 1, value->flat = true;
      break;
    case Kind::kAdd:
    case Kind::kRelu:
      fits = same && plain;
      break;
    default:
      break;
  }
  value->flat = value->flat || in.flat;
  if (in.flat && !plain) fits = false;
  if (!fits || value->h < 1 || value->w < 1) {
    return Fail(i, "a result that does not fit its input");
  }
  if (int64_t{value->h} * value->w * value->channels > kMaxValues) {
    return Fail(i, "a result beyond the limits");
  }
  const bool adds = op->kind == Kind::kAdd;
  const bool may = adds || op->kind == Kind::kConv;
  if ((op->other >= 0 && !may) || (adds && op->other < 0)) {
    return Fail(i, "another number of inputs");
  }
  if (op->other >= 0) {
    const Value& other = program->values[op->other];
    if (other.h != value->h || other.w != value->w ||
        other.channels != value->channels || other.flat != value->flat) {
      return Fail(i, "an addition of another shape");
    }
  }
  return true;
}

bool Reader::ReadNumbers(int64_t i, const int64_t* word, Op* op, Value* value) {
  const int64_t in = program->values[op->input].channels;
  const int64_t out = value->channels, taps = int64_t{op->size} * op->size;
  const bool depthwise = op->kind == Kind::kDepthwise;
  if (op->kind == Kind::kConv || depthwise) {
    op->weights = Numbers(word[8], taps * (depthwise ? 1 : in) * out);
    op->bias = Numbers(word[9], out);
    if (!op->weights || !op->bias) return Fail(i, "no weights");
    if (word[10] >= 0 && !(op->scales = Numbers(word[10], out))) {
      return Fail(i, "no scales");
    }
    const int64_t products = depthwise ? taps : taps * in;
    if (op->scales && !AreIntegers(op->weights, products, out)) {
      return Fail(i, "weights that are no bytes, or sums beyond 32 bits");
    }
    if (op->scales &&
        program->values[op->input].storage != Storage::kByte) {
      return Fail(i, "integer weights for floats");
    }
  }
  const float* limits = Numbers(word[11], 2);
  if (!limits || !(limits[0] <= limits[1])) return Fail(i, "no limits");
  op->low = limits[0], op->high = limits[1];
  if (storage == Storage::kByte && word[12] < 0) {
    value->storage = Storage::kFloat;
  } else if (storage == Storage::kByte && !ReadStep(word[12], &value->step)) {
    return Fail(i, "no step of the result");
  }
  op->rounds = word[13] >= 0;
  if (op->rounds && !ReadStep(word[13], &op->rounded)) {
    return Fail(i, "no step of what is rounded");
  }
  return true;
}

// Whether operations read and write the same kind of memory, but for
// convolutions, which write any.
std::string StorageFault(const Program& program) {
  for (const Op& op : program.ops) {
    if (op.input < 0) continue;
    const Storage out = program.values[op.output].storage;
    const bool converts = op.kind == Kind::kConv;
    if (!converts && program.values[op.input].storage != out) {
      return "a result of another storage than its input";
    }
    if (op.other >= 0 && program.values[op.other].storage != out) {
      return "an addition of another storage";
    }
    if (op.input == program.output || op.other == program.output) {
      return "an operation reads the logits";
    }
  }
  return "";
}

bool Reader::ReadOp(int64_t i, const int64_t* word) {
  Op op;
  Value value;
  if (!ReadShape(i, word, &op, &value) || !ReadNumbers(i, word, &op, &value)) {
    return false;
  }
  program->ops.push_back(op);
  program->values.push_back(value);
  return true;
}

}  // namespace

std::string Read(const int64_t* words, int64_t count, const float* numbers,
                 int64_t total, Program* program) {
  if (count < kHeader || !Within(words[7], 1, kMaxOps) ||
      count != kHeader + words[7] * kWords) {
    return "expected a header and as many operations as it says";
  }
  for (int64_t i = 0; i < total; ++i) {
    if (std::isnan(numbers[i])) return "not a number among the weights";
  }
  Reader reader{words, numbers, total, program, {}, {}};
  if (!reader.ReadHeader()) return reader.fault;
  for (int64_t i = 0; i < words[7]; ++i) {
    if (!reader.ReadOp(i, words + kHeader + i * kWords)) return reader.fault;
  }
  if (!Within(words[6], 1, words[7])) return "the logits are no result";
  program->output = words[6];
  Value& logits = program->values[program->output];
  if (!logits.flat) return "logits of pixels";
  logits.storage = Storage::kFloat;
  return StorageFault(*program);
}

}  // namespace rcj::network
