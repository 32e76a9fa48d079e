// Exec: what an op needs beside its operands. Passed by reference into every op; one per lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/isa.h"
#include "kernels/exec/thread_pool.h"
#include "memory/device/device_pool.h"
#include "memory/tensor/tensor.h"

namespace consort {

// A strict stack of scratch memory over one Region. An op opens a Mark, takes what it needs, and everything
// taken goes back when the Mark ends. Allocation past the end commits more granules of the region (addresses
// do not move); high_water() says how much a run needed. Thread: the lane's thread.
class ScratchArena {
 public:
  explicit ScratchArena(DevicePool& pool, Owner owner, std::size_t address_bytes = std::size_t{16} << 30);
  ~ScratchArena();
  ScratchArena(const ScratchArena&) = delete;

  class Mark {
   public:
    explicit Mark(ScratchArena& arena) : arena_(arena), top_(arena.top_) {}
    ~Mark() { arena_.top_ = top_; }
    Mark(const Mark&) = delete;

   private:
    ScratchArena& arena_;
    std::size_t top_;
  };

  // 64-byte aligned, uninitialised. Throws std::bad_alloc when the pool's limit is reached; the lane catches
  // it at the step's border and fails the step's requests with kMemory.
  std::byte* take(std::size_t bytes);
  template <typename T>
  std::span<T> take_array(std::size_t n) { return {reinterpret_cast<T*>(take(n * sizeof(T))), n}; }
  TensorView tensor(DType dtype, std::initializer_list<std::int64_t> dims);
  std::size_t high_water() const { return high_water_; }
  void trim();  // gives back what lies above the current top

 private:
  DevicePool& pool_;
  Region region_;
  std::size_t top_ = 0;
  std::size_t high_water_ = 0;
};

struct Exec {
  ThreadPool& threads;
  ScratchArena& scratch;
  Isa isa = best_isa();
  Device device = {};
};

}  // namespace consort
