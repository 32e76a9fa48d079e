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

struct ZipFile {
  std::string name, content;
  std::uint16_t method = 0, flags = 0;
};

// An archive of stored entries, each at a multiple of 64 as torch pads them; `long_numbers`: sizes and
// offsets in ZIP64 parts.
inline std::string zip_archive(const std::vector<ZipFile>& files, bool long_numbers = false) {
  const auto u16 = [](std::size_t n) { return little(static_cast<std::uint16_t>(n)); };
  const auto u32 = [](std::size_t n) { return little(static_cast<std::uint32_t>(n)); };
  const auto u64 = [](std::size_t n) { return little(static_cast<std::uint64_t>(n)); };
  constexpr std::size_t kElsewhere = 0xffffffff;
  std::string out, directory;
  for (const ZipFile& f : files) {
    const std::size_t offset = out.size(), size = f.content.size();
    const std::string shared = u16(20) + u16(f.flags) + u16(f.method) + u32(0) + u32(0);
    const std::size_t head = offset + 30 + f.name.size() + 4, padding = (64 - head % 64) % 64;
    out += u32(0x04034b50) + shared + u32(size) + u32(size) + u16(f.name.size()) + u16(4 + padding) + f.name +
           "FB" + u16(padding) + std::string(padding, 'Z') + f.content;
    const std::string extra = long_numbers ? u16(1) + u16(24) + u64(size) + u64(size) + u64(offset) : "";
    directory += u32(0x02014b50) + u16(20) + shared + u32(long_numbers ? kElsewhere : size) +
                 u32(long_numbers ? kElsewhere : size) + u16(f.name.size()) + u16(extra.size()) + u16(0) +
                 u16(0) + u16(0) + u32(0) + u32(long_numbers ? kElsewhere : offset) + f.name + extra;
  }
  const std::size_t at = out.size();
  out += directory;
  if (long_numbers) {
    const std::size_t end = out.size();
    out += u32(0x06064b50) + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(files.size()) +
           u64(files.size()) + u64(directory.size()) + u64(at);
    out += u32(0x07064b50) + u32(0) + u64(end) + u32(1);
  }
  return out + u32(0x06054b50) + u16(0) + u16(0) + u16(long_numbers ? 0xffff : files.size()) +
         u16(long_numbers ? 0xffff : files.size()) + u32(long_numbers ? kElsewhere : directory.size()) +
         u32(long_numbers ? kElsewhere : at) + u16(0);
}

// The files of a checkpoint in the layout since torch 1.6.
inline std::vector<ZipFile> torch_zip_files(
    const std::vector<TorchTensor>& tensors,
    const std::vector<std::pair<std::string, std::vector<float>>>& storages) {
  std::string state = std::string("\x80\x02", 2) + "ccollections\nOrderedDict\n)R(";
  for (const TorchTensor& t : tensors) {
    std::string tensor = torch_tensor(t);
    const std::size_t view = tensor.find("NtQ");  // the new layout names no view
    state += pickle_text(t.name) + tensor.erase(view, 1);
  }
  std::vector<ZipFile> files = {{"archive/data.pkl", state + "u."}, {"archive/byteorder", "little"}};
  for (const auto& [key, values] : storages) {
    std::string bytes;
    for (const float v : values) bytes += little(v);
    files.push_back({"archive/data/" + key, bytes});
  }
  files.push_back({"archive/version", "3\n"});
  return files;
}

}  // namespace consort::testing
