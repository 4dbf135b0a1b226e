// Calls the handlers of the kernels as a file says, outside of XLA: built with
// sanitizers it finds bad memory accesses, built for another processor it runs
// in an emulator.
//
//   replay FILE              also threads and operands that do not fit
//   replay --checksums FILE  the plain calls only
//
// Prints a line per call: its number, the handler, and a checksum of the
// results, or the error. Fails on what no call may do.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "check/cases.h"

// HANDLER(name) for each handler that is linked.
#define HANDLER(name) extern "C" XLA_FFI_Error* rcj_##name(XLA_FFI_CallFrame*);
#include "handlers.inc"
#undef HANDLER

namespace rcj::check {
namespace {

XLA_FFI_Handler* Find(const std::string& name) {
  static const std::map<std::string, XLA_FFI_Handler*> handlers = {
#define HANDLER(name) {#name, rcj_##name},
#include "handlers.inc"
#undef HANDLER
  };
  const auto found = handlers.find(name);
  if (found != handlers.end()) return found->second;
  std::fprintf(stderr, "there is no handler %s\n", name.c_str());
  std::exit(2);
}

void Demand(bool holds, const Case& call, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", call.handler.c_str(), what);
  std::exit(1);
}

// Whatever the shapes are, a call works or is refused with words.
void CallWrongly(const Case& call) {
  const Outcome outcome = Call(Find(call.handler), call, 1);
  if (outcome.code == XLA_FFI_Error_Code_OK) return;
  Demand(outcome.code == XLA_FFI_Error_Code_INVALID_ARGUMENT, call,
         "another error than INVALID_ARGUMENT");
  Demand(!outcome.text.empty(), call, "an error without words");
}

// Calls with an array smaller, larger or of another rank in each dimension.
void Misshape(Case& call, Array& array) {
  const Array right = array;
  for (size_t i = 0; i < right.shape.size(); ++i) {
    for (int64_t size : {right.shape[i] - 1, right.shape[i] + 1, int64_t{0}}) {
      if (size < 0) continue;
      array.shape[i] = size;
      if (!right.data.empty()) array.data.resize(array.Bytes());
      CallWrongly(call);
      array = right;
    }
  }
  array.shape.push_back(1);
  CallWrongly(call);
  array = right;
}

// Calls with nonsense in an operand: all bits set are -1 and not a number, the
// others large numbers and small ones.
void Spoil(Case& call, Array& array) {
  if (array.type == XLA_FFI_DataType_PRED) return;
  const auto right = array.data;
  for (int byte : {0xFF, 0x7F, 0x80, 0x4F}) {
    std::fill(array.data.begin(), array.data.end(), static_cast<char>(byte));
    CallWrongly(call);
  }
  array.data = right;
}

void Fuzz(Case call, const Outcome& expected) {
  for (int threads : {1, 3, 16}) {
    const Outcome found = Call(Find(call.handler), call, threads);
    Demand(found.checksum == expected.checksum, call,
           "threads change the result");
  }
  for (auto& operand : call.operands) {
    Misshape(call, operand);
    Spoil(call, operand);
  }
  for (auto& result : call.results) Misshape(call, result);
  if (call.operands.empty()) return;
  call.operands.pop_back();
  CallWrongly(call);
}

int Main(int argc, char** argv) {
  const bool plain = argc == 3 && std::strcmp(argv[1], "--checksums") == 0;
  if (argc != 2 && !plain) {
    std::fprintf(stderr, "usage: %s [--checksums] FILE\n", argv[0]);
    return 2;
  }
  // What was reached is seen if a call ends the program.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  int number = 0;
  for (const Case& call : ReadCases(argv[argc - 1])) {
    const Outcome outcome = Call(Find(call.handler), call, 2);
    if (outcome.code == XLA_FFI_Error_Code_OK) {
      std::printf("%d %s %016" PRIx64 "\n", number++, call.handler.c_str(),
                  outcome.checksum);
    } else {
      std::printf("%d %s error %d: %s\n", number++, call.handler.c_str(),
                  outcome.code, outcome.text.c_str());
    }
    if (!plain && outcome.code == XLA_FFI_Error_Code_OK) Fuzz(call, outcome);
  }
  return 0;
}

}  // namespace
}  // namespace rcj::check

int main(int argc, char** argv) { return rcj::check::Main(argc, argv); }
