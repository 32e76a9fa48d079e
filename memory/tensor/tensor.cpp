#include "memory/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "memory/base/checked.h"

namespace consort {
namespace {

TensorView lay_out(std::byte* data, DType dtype, std::span<const std::int64_t> dims, Device device) {
  TensorView v;
  v.data = data;
  v.dtype = dtype;
  v.device = device;
  v.rank = static_cast<int>(dims.size());
  std::int64_t stride = 1;
  for (int i = v.rank - 1; i >= 0; --i) {
    v.dims[i] = dims[i];
    v.strides[i] = stride;
    stride *= dims[i];
  }
  return v;
}

}  // namespace

bool TensorView::contiguous() const {
  std::int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (dims[i] != 1 && strides[i] != stride) return false;  // a dimension of one has no neighbours
    stride *= dims[i];
  }
  return true;
}

TensorView make_view(void* data, DType dtype, std::span<const std::int64_t> dims, Device device) {
  assert(dims.size() <= kMaxRank && checked_elements(dims));
  return lay_out(static_cast<std::byte*>(data), dtype,
                 dims.first(std::min<std::size_t>(dims.size(), kMaxRank)), device);
}

Result<std::size_t> tensor_bytes(DType dtype, std::span<const std::int64_t> dims) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} {} [{}]", why, dtype_name(dtype), fmt::join(dims, ", ")));
  };
  if (dims.size() > kMaxRank) return bad("too many dimensions in tensor");
  const auto elements = checked_elements(dims);
  if (!elements) return bad("impossible size of tensor");
  const DTypeInfo info = dtype_info(dtype);
  const std::int64_t last = dims.empty() ? 1 : dims.back();
  if (last % static_cast<std::int64_t>(info.block) != 0)
    return bad("the last dimension cuts a block in tensor");
  const auto bytes = checked_mul(static_cast<std::size_t>(*elements) / info.block, info.bytes);
  if (!bytes) return bad("impossible size of tensor");
  return *bytes;
}

Result<Tensor> Tensor::allocate(DevicePool& pool, Owner owner, DType dtype,
                                std::span<const std::int64_t> dims) {
  CONSORT_TRY(bytes, tensor_bytes(dtype, dims));
  Tensor t;
  CONSORT_TRY(region, pool.allocate(std::max<std::size_t>(bytes, 1), std::move(owner)));
  t.region_ = std::move(region);
  t.view_ = lay_out(t.region_.data(), dtype, dims, pool.device());
  return t;
}

std::string describe(const TensorView& v) {
  return fmt::format("{} [{}]", dtype_name(v.dtype),
                     fmt::join(v.dims.begin(), v.dims.begin() + v.rank, ", "));
}

}  // namespace consort
