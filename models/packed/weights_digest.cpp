#include "models/packed/weights_digest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <vector>

namespace consort {
namespace {

XXH128_hash_t hash_of(const TensorEntry& tensor) {
  return XXH3_128bits(tensor.view.data, tensor.view.bytes());
}

std::string digest_of(const std::vector<TensorEntry>& tensors, const std::vector<XXH128_hash_t>& hashes) {
  std::string record;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorView& view = tensors[i].view;
    record += fmt::format("{} {}", tensors[i].name, dtype_name(view.dtype));
    for (int d = 0; d < view.rank; ++d) record += fmt::format(" {}", view.dims[static_cast<std::size_t>(d)]);
    record += fmt::format(" {:016x}{:016x}\n", hashes[i].high64, hashes[i].low64);
  }
  const XXH128_hash_t all = XXH3_128bits(record.data(), record.size());
  return fmt::format("{:016x}{:016x}", all.high64, all.low64);
}

}  // namespace

std::string weights_digest(const WeightSource& source, Exec& exec) {
  const std::vector<TensorEntry>& tensors = source.tensors();
  std::vector<XXH128_hash_t> hashes(tensors.size());
  exec.threads.parallel_for(tensors.size(), 1, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t i = begin; i < end; ++i) hashes[i] = hash_of(tensors[i]);
  });
  return digest_of(tensors, hashes);
}

std::string weights_digest(const WeightSource& source) {
  std::vector<XXH128_hash_t> hashes;
  for (const TensorEntry& tensor : source.tensors()) hashes.push_back(hash_of(tensor));
  return digest_of(source.tensors(), hashes);
}

}  // namespace consort
