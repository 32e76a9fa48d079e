#include "agents/evaluation/table/numpy_file.h"

#include <array>
#include <limits>
#include <set>

#include "memory/base/text.h"

namespace consort {
namespace {

constexpr std::size_t kAlignment = 64;  // of the data behind the header, as numpy writes it
constexpr std::uint16_t kZipVersion = 20, kZipDate = (1980 - 1980) << 9 | 1 << 5 | 1;  // 1 January 1980

void little(std::string& out, std::uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(v >> (8 * i)));
}

std::string header(std::string_view type, const std::vector<std::int64_t>& shape) {
  std::string dims = "(";
  for (const std::int64_t d : shape) dims += std::to_string(d) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) dims.erase(dims.size() - 2);
  dims += ")";
  std::string text =
      "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': " + dims + ", }";
  constexpr std::size_t kBefore = 10;  // magic, version, length
  const std::size_t unpadded = kBefore + text.size() + 1;
  text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  text.push_back('\n');
  std::string out("\x93NUMPY\x01\x00", 8);
  little(out, text.size(), 2);
  return out + text;
}

template <typename T>
std::string array(std::string_view type, std::span<const T> values, const std::vector<std::int64_t>& shape) {
  std::string out = header(type, shape);
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return out;
}

// Code points of valid UTF-8.
std::u32string code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t c = more == 0 ? lead : lead & (0x3F >> more);
    for (int k = 1; k <= more; ++k)
      c = c << 6 | (static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0x3F);
    out.push_back(c);
    i += static_cast<std::size_t>(more) + 1;
  }
  return out;
}

// What the local header and the directory say alike of an entry.
std::string entry_fields(std::string_view name, std::string_view bytes) {
  std::string out;
  little(out, 0, 2);  // flags
  little(out, 0, 2);  // stored
  little(out, 0, 2);  // 00:00
  little(out, kZipDate, 2);
  little(out, crc32(bytes), 4);
  little(out, bytes.size(), 4);
  little(out, bytes.size(), 4);
  little(out, name.size(), 2);
  little(out, 0, 2);  // extra
  return out;
}

void add_directory_entry(std::string& directory, std::string_view name, std::string_view bytes,
                         std::size_t offset) {
  directory += "PK\x01\x02";
  little(directory, kZipVersion, 2);
  little(directory, kZipVersion, 2);
  directory += entry_fields(name, bytes);
  little(directory, 0, 2);  // comment
  little(directory, 0, 2);  // disk
  little(directory, 0, 2);  // internal attributes
  little(directory, 0, 4);  // external attributes
  little(directory, offset, 4);
  directory += name;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < t.size(); ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::string npy(std::span<const double> values, const std::vector<std::int64_t>& shape) {
  return array("<f8", values, shape);
}
std::string npy(std::span<const float> values, const std::vector<std::int64_t>& shape) {
  return array("<f4", values, shape);
}
std::string npy(std::span<const std::int64_t> values, const std::vector<std::int64_t>& shape) {
  return array("<i8", values, shape);
}

std::string npy(const std::vector<std::string>& texts) {
  std::vector<std::u32string> wide;
  std::size_t longest = 1;  // numpy has no empty text type
  for (const std::string& text : texts) {
    bool replaced = false;
    wide.push_back(code_points(to_utf8(text, replaced)));
    longest = std::max(longest, wide.back().size());
  }
  std::string out = header("<U" + std::to_string(longest), {static_cast<std::int64_t>(texts.size())});
  for (const std::u32string& text : wide) {
    for (const char32_t c : text) little(out, c, 4);
    out.append(4 * (longest - text.size()), '\0');
  }
  return out;
}

Result<std::string> npz(const std::vector<std::pair<std::string, std::string>>& arrays) {
  std::string out, directory;
  std::set<std::string> names;
  for (const auto& [name, bytes] : arrays) {
    if (name.empty() || name.size() > 200 || !names.insert(name).second)
      return fail(ErrorKind::kInvalid, "an array's name is empty, too long or used twice",
                  name.substr(0, 60));
    const std::string file = name + ".npy";
    if (out.size() + bytes.size() + directory.size() + (std::size_t{1} << 20) >
        std::numeric_limits<std::uint32_t>::max())
      return fail(ErrorKind::kInvalid, "the arrays are above 4 GiB together", file);
    add_directory_entry(directory, file, bytes, out.size());
    out += "PK\x03\x04";
    little(out, kZipVersion, 2);
    out += entry_fields(file, bytes) + file + bytes;
  }
  const std::size_t begin = out.size();
  out += directory + "PK\x05\x06";
  little(out, 0, 4);  // disks
  little(out, arrays.size(), 2);
  little(out, arrays.size(), 2);
  little(out, directory.size(), 4);
  little(out, begin, 4);
  little(out, 0, 2);  // comment
  return out;
}

}  // namespace consort
