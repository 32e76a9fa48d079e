#include "memory/store/owner_file.h"

#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace consort {
namespace {

std::filesystem::path owner_path(const std::string& directory) {
  return std::filesystem::path(directory) / "OWNER";
}

// Letters, digits and a few signs: what stands in a message must not carry control characters from a file.
bool plain(const std::string& text) {
  if (text.empty() || text.size() > 255) return false;
  for (const char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_' && c != ':')
      return false;
  }
  return true;
}

}  // namespace

std::string StoreOwner::text() const {
  return fmt::format("process {} on {} since {}", pid, host, since);
}

StoreOwner this_process() {
  StoreOwner owner;
  owner.pid = static_cast<long>(::getpid());
  std::array<char, 256> host{};
  owner.host = ::gethostname(host.data(), host.size() - 1) == 0 ? host.data() : "unknown";
  if (!plain(owner.host)) owner.host = "unknown";
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  owner.since.assign(text.data(), length);
  return owner;
}

void write_owner_file(const std::string& directory, const StoreOwner& owner) {
  std::ofstream out(owner_path(directory), std::ios::trunc);
  out << owner.pid << ' ' << owner.host << ' ' << owner.since << '\n';
}

std::optional<StoreOwner> read_owner_file(const std::string& directory) {
  std::ifstream in(owner_path(directory), std::ios::binary);
  if (!in) return std::nullopt;
  std::array<char, 600> text{};
  in.read(text.data(), text.size() - 1);
  std::array<char, 300> host{}, since{};
  StoreOwner owner;
  if (std::sscanf(text.data(), "%ld %255s %255s", &owner.pid, host.data(), since.data()) != 3)
    return std::nullopt;
  owner.host = host.data();
  owner.since = since.data();
  if (owner.pid <= 0 || !plain(owner.host) || !plain(owner.since)) return std::nullopt;
  return owner;
}

void remove_owner_file(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove(owner_path(directory), ignored);
}

}  // namespace consort
