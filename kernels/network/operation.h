// One operation of a network that is ready to run.
#ifndef RCJ_NETWORK_OPERATION_H_
#define RCJ_NETWORK_OPERATION_H_

#include <cstdlib>
#include <memory>
#include <vector>

#include "network/rows.h"

namespace rcj::network {

using Lines = std::unique_ptr<Line, void (*)(void*)>;

// Uninitialised; throws std::bad_alloc.
Lines Allocated(int64_t count);

// Memory of one thread.
class Scratch {
 public:
  // Uninitialised lines; pointers of the same use remain until more are asked.
  Line* Lines(int use, int64_t count);

 private:
  struct Part {
    network::Lines data{nullptr, &std::free};
    int64_t size = 0;
  };
  Part parts_[4];
};

// What an operation needs to know of the whole network.
struct Setting {
  const Program* program;
  Layout layout;
  std::vector<Shift> none, shifts;  // strips from the left to the right
  std::vector<Columns> columns;  // of each value
  std::vector<bool> whole;       // values whose lanes are images
  std::vector<std::vector<Line>> borders;  // of each value: zeros of a pixel

  const Value& ValueOf(int i) const { return program->values[i]; }
  Window WindowOf(int i, const Rows& rows) const {
    const Value& value = ValueOf(i);
    return {rows, value.h, columns[i].width, value.Lines(), value.Pitch(),
            borders[i].data(), whole[i] ? none : shifts};
  }
};

// Images of the batch that a group of lanes has.
struct Images {
  const float* first;  // [count][h][w][3]
  int count;
};

// Rows of results, and of their output channels, if those are split.
struct Part {
  int y0, y1;
  int c0, c1;
};

// Where an operation reads and writes.
struct Operands {
  Rows in, other, out;
  Images images;
};

class Operation {
 public:
  virtual ~Operation() = default;
  virtual void Run(const Operands& operands, const Part& part,
                   Scratch& scratch) const = 0;
  // Results rows are made in multiples of.
  virtual int RowsAtOnce() const { return 1; }
  // Output channels at whose multiples parts may begin; 0 if all are one.
  virtual int ChannelsAtOnce() const { return 0; }
  // Bytes that are read for every tile.
  virtual int64_t WeightBytes() const { return 0; }
};

using MakeOperation = std::unique_ptr<Operation> (*)(const Op&,
                                                     const Setting&);

std::unique_ptr<Operation> MakeImage(const Op& op, const Setting& setting);
std::unique_ptr<Operation> MakeConvolution(const Op& op, const Setting&);
std::unique_ptr<Operation> MakeDepthwise(const Op& op, const Setting&);
std::unique_ptr<Operation> MakeMaxPool(const Op& op, const Setting& setting);
std::unique_ptr<Operation> MakeMeanPool(const Op& op, const Setting& setting);
std::unique_ptr<Operation> MakePointwise(const Op& op, const Setting&);
std::unique_ptr<Operation> MakePad(const Op& op, const Setting& setting);
std::unique_ptr<Operation> MakeFlatten(const Op& op, const Setting& setting);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_OPERATION_H_
