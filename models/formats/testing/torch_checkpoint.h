// Writes small torch checkpoints (legacy layout) for tests, opcode by opcode.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/torch_pickle.h"

namespace consort::testing {

template <typename T>
std::string little(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::string pickle_text(std::string_view text) {
  return "X" + little(static_cast<std::uint32_t>(text.size())) + std::string(text);
}
inline std::string pickle_integer(std::int32_t value) {
  return "J" + little(value);
}
inline std::string pickle_tuple(const std::vector<std::int64_t>& numbers) {
  std::string bytes = "(";
  for (const std::int64_t n : numbers) bytes += pickle_integer(static_cast<std::int32_t>(n));
  return bytes + "t";
}

struct TorchTensor {
  std::string name, key;
  std::vector<std::int64_t> dims, strides;
  std::int32_t count = 0, offset = 0;
  std::string type = "FloatStorage";
};

inline std::string torch_tensor(const TorchTensor& t) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickle_text("storage") + "ctorch\n" + t.type + "\n" +
         pickle_text(t.key) + pickle_text("cpu") + pickle_integer(t.count) + "NtQ" +
         pickle_integer(t.offset) + pickle_tuple(t.dims) + pickle_tuple(t.strides) + "\x89" +
         "ccollections\nOrderedDict\n)RtR";
}

// A file around the pickle of a state dictionary: `state` is what stands between its PROTO and its STOP.
inline std::string torch_file(const std::string& state,
                              const std::vector<std::pair<std::string, std::vector<float>>>& storages) {
  const std::string proto("\x80\x02", 2);
  std::string file(kTorchPickleMagic);
  file += proto + "M" + little<std::uint16_t>(1001) + ".";
  file += proto + "}(" + pickle_text("little_endian") + "\x88" + pickle_text("protocol_version") + "M" +
          little<std::uint16_t>(1001) + "u.";
  file += proto + state + ".";
  file += proto + "](";
  for (const auto& [key, values] : storages) file += pickle_text(key);
  file += "e.";
  for (const auto& [key, values] : storages) {
    file += little(static_cast<std::uint64_t>(values.size()));
    for (const float v : values) file += little(v);
  }
  return file;
}

inline std::string torch_file(const std::vector<TorchTensor>& tensors,
                              const std::vector<std::pair<std::string, std::vector<float>>>& storages) {
  std::string state = "ccollections\nOrderedDict\n)R(";
  for (const TorchTensor& t : tensors) state += pickle_text(t.name) + torch_tensor(t);
  return torch_file(state + "u}" + pickle_text("_metadata") + "}sb", storages);
}

}  // namespace consort::testing
