// Calls of handlers as they were recorded, from a file; see
// tests/native_cases.py.
#ifndef RCJ_CHECK_CASES_H_
#define RCJ_CHECK_CASES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "check/runtime.h"

namespace rcj::check {

// An operand or a result, in memory of exactly its size.
struct Array {
  XLA_FFI_DataType type;
  std::vector<int64_t> shape;
  std::vector<char> data;  // of an operand
  int64_t width;           // bytes of a value

  int64_t Bytes() const;
};

struct Attribute {
  std::string name;
  XLA_FFI_DataType type;
  int64_t value;
};

struct Case {
  std::string handler;
  std::vector<Array> operands, results;
  std::vector<Attribute> attributes;
};

struct Outcome {
  XLA_FFI_Error_Code code = XLA_FFI_Error_Code_OK;
  std::string text;
  uint64_t checksum = 0;  // of the results
};

// Exits with a message if there is no such file.
std::vector<Case> ReadCases(const char* path);

// Calls a handler with copies of its operands.
Outcome Call(XLA_FFI_Handler* handler, const Case& call, int threads);

}  // namespace rcj::check

#endif  // RCJ_CHECK_CASES_H_
