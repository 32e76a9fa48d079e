// Blob: bytes that travel through a workflow as a handle.
#pragma once

#include <string>
#include <string_view>

#include "memory/base/shared_bytes.h"
#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

inline constexpr std::size_t kMaxBlobBytes = std::size_t{32} << 20;

// Immutable; copies share the bytes; any thread.
struct Blob {
  std::string digest;  // SHA-256, 64 lower-case hexadecimal digits
  SharedBytes bytes;
  std::string media_type, name;
  Value metadata = Value::object();  // width, height; nodes, edges
};

// Digest, media type and metadata are told from the bytes. Errors: kInvalid above kMaxBlobBytes.
Result<Blob> make_blob(SharedBytes bytes, std::string name = {});

// {"$blob": digest, "mediaType", "bytes": size, "name" (when there is one), and the metadata's members}.
Value blob_handle(const Blob& blob);
// Is it an object with the member "$blob"?
bool is_blob_handle(const Value& value);
// Its digest. Errors: kInvalid when the digest is no SHA-256.
Result<std::string> blob_digest(const Value& handle);

}  // namespace consort
