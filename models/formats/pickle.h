// A restricted unpickler (protocol 2; source: Python's pickletools, the opcodes' documentation): it builds
// plain values, calls nothing and imports nothing. Every opcode, every global name and every limit not listed
// here ends in an error. Used by torch_pickle.h; internal to this room.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "models/formats/byte_reader.h"

namespace consort {

// Values refer to each other by number, so that cycles and shared values need no ownership. Nobody walks them
// without knowing their shape.
struct PickleValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInteger,
    kNumber,
    kText,
    kTuple,
    kList,
    kDict,        // items: key, value, key, value; a collections.OrderedDict too
    kGlobal,      // text: "module name", one of the allowed ones
    kPersistent,  // items: those of the tuple that names a storage
    kTensor,      // items: the arguments of torch._utils._rebuild_tensor_v2
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // kBool, kInteger
  double number = 0;         // kNumber
  std::string_view text;     // kText, kGlobal: in the file's bytes
  std::vector<std::uint32_t> items;
};

class Pickle {
 public:
  // Limits that keep hostile files inside about 120 MB; a network of 1,000 tensors needs 30,000 values.
  static constexpr std::size_t kMaxValues = 1u << 20, kMaxSteps = 4u << 20;

  // Reads one pickle from the reader's place to its STOP. Throws FormatError: kCorrupt for damaged streams,
  // kUnsupported for opcodes and globals that are not allowed (named).
  static Pickle read(ByteReader& reader);

  const PickleValue& root() const { return values_[root_]; }
  const PickleValue& at(std::uint32_t value) const { return values_[value]; }  // numbers come from items only

 private:
  friend class PickleMachine;
  std::vector<PickleValue> values_;
  std::uint32_t root_ = 0;
};

// Names a kind for messages: "a tuple".
std::string_view pickle_kind_name(PickleValue::Kind kind);

}  // namespace consort
