#include "check/cases.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace rcj::check {
namespace {

// XLA aligns buffers to this many bytes.
constexpr size_t kAlignment = 64;

template <class T>
T Read(std::istream& in) {
  T value{};
  in.read(reinterpret_cast<char*>(&value), sizeof(value));
  return value;
}

std::string ReadText(std::istream& in) {
  std::string text(Read<int64_t>(in), 0);
  in.read(text.data(), text.size());
  return text;
}

Array ReadArray(std::istream& in, bool with_data) {
  Array array;
  array.type = static_cast<XLA_FFI_DataType>(Read<int64_t>(in));
  array.width = Read<int64_t>(in);
  array.shape.resize(Read<int64_t>(in));
  for (auto& size : array.shape) size = Read<int64_t>(in);
  if (with_data) {
    array.data.resize(array.Bytes());
    in.read(array.data.data(), array.data.size());
  }
  return array;
}

Case ReadCase(std::istream& in) {
  Case result;
  result.handler = ReadText(in);
  result.operands.resize(Read<int64_t>(in));
  for (auto& operand : result.operands) operand = ReadArray(in, true);
  result.results.resize(Read<int64_t>(in));
  for (auto& array : result.results) array = ReadArray(in, false);
  result.attributes.resize(Read<int64_t>(in));
  for (auto& attribute : result.attributes) {
    attribute.name = ReadText(in);
    attribute.type = static_cast<XLA_FFI_DataType>(Read<int64_t>(in));
    attribute.value = Read<int64_t>(in);
  }
  return result;
}

using Memory = std::unique_ptr<char, void (*)(void*)>;

Memory Allocate(const Array& array) {
  void* memory = nullptr;
  const size_t bytes = array.Bytes();
  if (posix_memalign(&memory, kAlignment, bytes ? bytes : 1)) std::abort();
  // Results begin with anything.
  std::memset(memory, 0xA5, bytes);
  if (!array.data.empty()) std::memcpy(memory, array.data.data(), bytes);
  return Memory(static_cast<char*>(memory), std::free);
}

struct Buffers {
  std::vector<Memory> memory;
  std::vector<XLA_FFI_Buffer> buffers;
  std::vector<void*> pointers;

  explicit Buffers(const std::vector<Array>& arrays) {
    buffers.reserve(arrays.size());
    for (const Array& array : arrays) {
      memory.push_back(Allocate(array));
      buffers.push_back({XLA_FFI_Buffer_STRUCT_SIZE, nullptr, array.type,
                         memory.back().get(),
                         static_cast<int64_t>(array.shape.size()),
                         const_cast<int64_t*>(array.shape.data())});
      pointers.push_back(&buffers.back());
    }
  }
};

struct Attributes {
  std::vector<XLA_FFI_ByteSpan> names;
  std::vector<XLA_FFI_Scalar> scalars;
  std::vector<XLA_FFI_AttrType> types;
  std::vector<XLA_FFI_ByteSpan*> name_pointers;
  std::vector<void*> pointers;

  explicit Attributes(const std::vector<Attribute>& attributes)
      : names(attributes.size()),
        scalars(attributes.size()),
        types(attributes.size(), XLA_FFI_AttrType_SCALAR) {
    for (size_t i = 0; i < attributes.size(); ++i) {
      const Attribute& attribute = attributes[i];
      names[i] = {attribute.name.data(), attribute.name.size()};
      scalars[i] = {attribute.type, const_cast<int64_t*>(&attribute.value)};
      name_pointers.push_back(&names[i]);
      pointers.push_back(&scalars[i]);
    }
  }
};

// FNV-1a of 64 bits.
uint64_t Checksum(const Buffers& results, const std::vector<Array>& arrays) {
  uint64_t hash = 0xCBF29CE484222325;
  for (size_t i = 0; i < arrays.size(); ++i) {
    for (int64_t j = 0; j < arrays[i].Bytes(); ++j) {
      const auto byte = static_cast<uint8_t>(results.memory[i].get()[j]);
      hash = (hash ^ byte) * 0x100000001B3;
    }
  }
  return hash;
}

}  // namespace

int64_t Array::Bytes() const {
  int64_t bytes = width;
  for (int64_t size : shape) bytes *= size;
  return bytes;
}

std::vector<Case> ReadCases(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", path);
    std::exit(2);
  }
  std::vector<Case> cases(Read<int64_t>(in));
  for (auto& found : cases) found = ReadCase(in);
  return cases;
}

Outcome Call(XLA_FFI_Handler* handler, const Case& call, int threads) {
  Buffers operands(call.operands), results(call.results);
  Attributes attributes(call.attributes);
  std::vector<XLA_FFI_ArgType> arguments(call.operands.size(),
                                         XLA_FFI_ArgType_BUFFER);
  std::vector<XLA_FFI_RetType> returns(call.results.size(),
                                       XLA_FFI_RetType_BUFFER);
  XLA_FFI_CallFrame frame{};
  frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
  frame.api = &Runtime(threads);
  frame.stage = XLA_FFI_ExecutionStage_EXECUTE;
  frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr,
                static_cast<int64_t>(arguments.size()), arguments.data(),
                operands.pointers.data()};
  frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr,
                static_cast<int64_t>(returns.size()), returns.data(),
                results.pointers.data()};
  frame.attrs = {XLA_FFI_Attrs_STRUCT_SIZE,
                 nullptr,
                 static_cast<int64_t>(attributes.types.size()),
                 attributes.types.data(),
                 attributes.name_pointers.data(),
                 attributes.pointers.data()};
  const std::unique_ptr<XLA_FFI_Error> error(handler(&frame));
  if (error) return {error->code, error->text, 0};
  return {XLA_FFI_Error_Code_OK, "", Checksum(results, call.results)};
}

}  // namespace rcj::check
