// TensorView: a plain description of a tensor somewhere in memory. Tensor: the same, owning its bytes, drawn
// from the DevicePool so that every byte has an owner. Row-major; the last dimension is contiguous unless
// strides say otherwise. Block formats (dtype.h) are contiguous rows of blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "memory/base/status.h"
#include "memory/device/device_pool.h"
#include "memory/tensor/dtype.h"

namespace consort {

inline constexpr int kMaxRank = 4;  // batch x heads x rows x columns; no model here needs more

// POD, passed by value, owns nothing. Strides are in elements (of blocks' elements for block formats).
struct TensorView {
  std::byte* data = nullptr;
  DType dtype = DType::kF32;
  Device device = {};
  int rank = 0;
  std::array<std::int64_t, kMaxRank> dims = {};     // dims[0..rank)
  std::array<std::int64_t, kMaxRank> strides = {};  // elements between neighbours of each dimension

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
  std::int64_t rows() const { return rank == 0 ? 1 : elements() / (dims[rank - 1] ? dims[rank - 1] : 1); }
  std::int64_t cols() const { return rank == 0 ? 1 : dims[rank - 1]; }  // the last dimension
  std::size_t bytes() const { return static_cast<std::size_t>(rows()) * row_bytes(dtype, cols()); }
  bool contiguous() const;
};

// A contiguous view over existing bytes. REQUIRES: `data` holds dims' product elements of `dtype`.
TensorView make_view(void* data, DType dtype, std::span<const std::int64_t> dims, Device device = {});
inline TensorView make_view(void* data, DType dtype, std::initializer_list<std::int64_t> dims,
                            Device device = {}) {
  return make_view(data, dtype, std::span<const std::int64_t>(dims.begin(), dims.size()), device);
}

// Bytes of a contiguous tensor. Errors: kInvalid for a negative dim, more than kMaxRank dims, a last
// dimension that cuts a block, or an overflow. For dims that come from outside.
Result<std::size_t> tensor_bytes(DType dtype, std::span<const std::int64_t> dims);

// Owns its bytes through a Region of the pool. Movable, not copyable. Thread: one at a time.
class Tensor {
 public:
  Tensor() = default;
  Tensor(Tensor&& other) noexcept
      : region_(std::move(other.region_)), view_(std::exchange(other.view_, TensorView{})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    region_ = std::move(other.region_);
    view_ = std::exchange(other.view_, TensorView{});
    return *this;
  }
  // Errors: kMemory when the pool's limit is reached, kInvalid when the product of dims overflows.
  static Result<Tensor> allocate(DevicePool& pool, Owner owner, DType dtype,
                                 std::span<const std::int64_t> dims);
  TensorView view() const { return view_; }
  bool empty() const { return view_.data == nullptr; }

 private:
  Region region_;
  TensorView view_;
};

std::string describe(const TensorView& v);  // "f32 [4, 576]"

}  // namespace consort
