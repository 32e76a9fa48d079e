#include "scheduler/blob/blob.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "scheduler/blob/media_type.h"

namespace consort {
namespace {

constexpr std::string_view kHandleKey = "$blob";

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string out;
  for (const unsigned char b : digest) out += fmt::format("{:02x}", b);
  return out;
}

}  // namespace

Result<Blob> make_blob(SharedBytes bytes, std::string name) {
  if (bytes.size() > kMaxBlobBytes)
    return fail(ErrorKind::kInvalid,
                fmt::format("{} bytes are too many for a workflow; at most {} are taken", bytes.size(),
                            kMaxBlobBytes),
                name, "make it smaller or split it");
  Blob out;
  out.digest = sha256_hex(bytes.view);
  out.media_type = media_type_of(bytes.view, name);
  out.metadata = content_metadata(bytes.view, out.media_type);
  out.bytes = std::move(bytes);
  out.name = std::move(name);
  return out;
}

Value blob_handle(const Blob& blob) {
  Value::Object out{{std::string(kHandleKey), blob.digest},
                    {"mediaType", blob.media_type},
                    {"bytes", static_cast<std::int64_t>(blob.bytes.size())}};
  if (!blob.name.empty()) out.emplace_back("name", blob.name);
  for (const auto& member : blob.metadata.as_object()) out.push_back(member);
  return Value::object(std::move(out));
}

bool is_blob_handle(const Value& value) {
  return value.find(kHandleKey) != nullptr;
}

Result<std::string> blob_digest(const Value& handle) {
  const Value* digest = handle.find(kHandleKey);
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (digest == nullptr || !digest->is_string() || digest->size() != 2 * SHA256_DIGEST_LENGTH ||
      !std::all_of(digest->as_string().begin(), digest->as_string().end(), hex))
    return fail(ErrorKind::kInvalid, "the handle's $blob is not a SHA-256 digest in lower-case hexadecimal");
  return digest->as_string();
}

}  // namespace consort
