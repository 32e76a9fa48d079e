#include "memory/store/watermark.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

namespace consort {
namespace {

namespace fs = std::filesystem;

// FNV-1a, 64 bit (Fowler, Noll, Vo): enough to notice a damaged line.
std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325u) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string line_of(const Watermark& mark) {
  return fmt::format("{} {} {} {}", mark.sequence, mark.manifest, mark.manifest_bytes, mark.manifest_hash);
}

}  // namespace

Watermark manifest_now(const std::string& directory, std::uint64_t limit) {
  std::ifstream current(fs::path(directory) / "CURRENT");
  std::string name(40, '\0');
  current.read(name.data(), static_cast<std::streamsize>(name.size()));
  name.resize(static_cast<std::size_t>(current.gcount()));
  if (name.empty() || name.back() != '\n' || !name.starts_with("MANIFEST-")) return {};
  name.pop_back();
  std::ifstream in(fs::path(directory) / name, std::ios::binary);
  if (!in) return {};
  Watermark mark{.manifest = name, .manifest_hash = fnv1a({})};
  std::array<char, 4096> block{};
  while (mark.manifest_bytes < limit) {
    in.read(block.data(),
            static_cast<std::streamsize>(std::min<std::uint64_t>(block.size(), limit - mark.manifest_bytes)));
    const auto got = static_cast<std::size_t>(in.gcount());
    if (got == 0) break;
    mark.manifest_hash = fnv1a({block.data(), got}, mark.manifest_hash);
    mark.manifest_bytes += got;
  }
  return mark;
}

void write_watermark(const std::string& directory, const Watermark& mark) {
  const fs::path file = fs::path(directory) / "WATERMARK", beside = fs::path(directory) / "WATERMARK.new";
  const std::string line = line_of(mark);
  std::error_code ignored;
  {
    std::ofstream out(beside, std::ios::trunc);
    out << line << '\n' << fnv1a(line) << '\n';
    if (!out.flush()) {
      fs::remove(beside, ignored);
      return;
    }
  }
  fs::rename(beside, file, ignored);
}

std::optional<Watermark> read_watermark(const std::string& directory) {
  std::ifstream in(fs::path(directory) / "WATERMARK");
  std::string text(200, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  Watermark mark;
  std::string name(80, '\0');
  unsigned long long sequence = 0, bytes = 0, manifest_hash = 0, hash = 0;
  if (std::sscanf(text.c_str(), "%llu %79s %llu %llu %llu", &sequence, name.data(), &bytes, &manifest_hash,
                  &hash) != 5) {
    return std::nullopt;
  }
  mark = {sequence, name.c_str(), bytes, manifest_hash};
  if (hash != fnv1a(line_of(mark))) return std::nullopt;
  return mark;
}

}  // namespace consort
