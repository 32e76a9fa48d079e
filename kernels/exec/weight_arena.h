// WeightArena: the packed weights of one model, one after another in a single Region, so that small matrices
// do not each round up to a granule. Grows at its end only; addresses do not move. Given back as a whole. A
// file of weights packed earlier may stand beside them: hold() keeps its mapping as long as the arena.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "memory/device/device_pool.h"

namespace consort {

// Owned by the model whose weights it holds (declare it before the PackedMatrix members that point into it).
// Movable. Thread: the loading thread; read-only afterwards, then from any thread.
class WeightArena {
 public:
  WeightArena() = default;
  // Reserves addresses only. Errors: kMemory when no address space is left.
  static Result<WeightArena> create(DevicePool& pool, Owner owner,
                                    std::size_t address_bytes = std::size_t{64} << 30);

  // 64-byte aligned, zero-filled. Errors: kMemory when the pool's limit or the arena's addresses are used up.
  Result<std::byte*> take(std::size_t bytes);
  // A copy of plain floats (norm weights, biases).
  Result<std::span<float>> copy(std::span<const float> values);
  // Takes over a mapping (DevicePool::map_file) that weights of this model point into.
  void hold(Region mapped) { mapped_ = std::move(mapped); }
  std::size_t used() const { return used_; }

 private:
  DevicePool* pool_ = nullptr;
  Region region_;
  std::size_t used_ = 0;
  Region mapped_;
};

}  // namespace consort
