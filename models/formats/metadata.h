// Metadata: the keys of a weight file in file order, with fast look-up. Used by the readers of this room.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/formats/weight_source.h"

namespace consort {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
using NameIndex = std::unordered_map<std::string, std::size_t, StringHash, std::equal_to<>>;

class Metadata {
 public:
  // false when the key is already there (nothing changes then).
  bool add(std::string key, MetaValue value) {
    if (!index_.emplace(key, entries_.size()).second) return false;
    entries_.emplace_back(std::move(key), std::move(value));
    return true;
  }
  const MetaValue* find(std::string_view key) const {
    const auto it = index_.find(key);
    return it == index_.end() ? nullptr : &entries_[it->second].second;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    keys.reserve(entries_.size());
    for (const auto& entry : entries_) keys.push_back(entry.first);
    return keys;
  }

 private:
  std::vector<std::pair<std::string, MetaValue>> entries_;
  NameIndex index_;
};

// The tensors of a source in file order, with fast look-up.
class TensorTable {
 public:
  bool add(TensorEntry entry) {
    if (!index_.emplace(entry.name, entries_.size()).second) return false;
    entries_.push_back(std::move(entry));
    return true;
  }
  const TensorEntry* find(std::string_view name) const {
    const auto it = index_.find(name);
    return it == index_.end() ? nullptr : &entries_[it->second];
  }
  const std::vector<TensorEntry>& entries() const { return entries_; }

 private:
  std::vector<TensorEntry> entries_;
  NameIndex index_;
};

// A contiguous row-major view; the same as make_view, without reading the pool's code.
inline TensorView contiguous_view(const std::byte* data, DType dtype, const std::vector<std::int64_t>& dims) {
  TensorView view;
  view.data = const_cast<std::byte*>(data);  // mapped read-only: writing through it faults
  view.dtype = dtype;
  view.rank = static_cast<int>(dims.size());
  std::int64_t stride = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    view.dims[at] = dims[at];
    view.strides[at] = stride;
    stride *= dims[at];
  }
  return view;
}

}  // namespace consort
