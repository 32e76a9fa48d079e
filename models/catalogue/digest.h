// SHA-256 of files and streams (FIPS 180-4, by OpenSSL).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "memory/base/status.h"

namespace consort {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  void update(const void* data, std::size_t bytes);
  std::string hex();  // ends the digest: call once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Called with the bytes read so far; false stops with kCancelled.
using DigestProgress = std::function<bool(std::uint64_t done)>;

// The digest of a whole file, lower-case hex. Errors: kNotFound, kIo, kCancelled.
Result<std::string> sha256_file(const std::string& path, const DigestProgress& progress = {});

}  // namespace consort
