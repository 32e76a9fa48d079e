// VectorIndex: exact nearest neighbours over one space. Rows lie one behind the other in memory; a search
// reads them all, as 8-bit integers first (row_codes.h), which for the size of an agent's memory (tens of
// thousands of rows) is a millisecond or a few and needs no build, no tuning and no recovery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "memory/base/huge_pages.h"
#include "memory/retrieval/item.h"
#include "memory/retrieval/row_codes.h"
#include "memory/retrieval/token_vectors.h"

namespace consort {

// Inner product of two vectors of n floats.
using DotFunction = float (*)(const float* a, const float* b, std::size_t n);
// 16 running sums, added in a fixed order: the same bits with every instruction set.
float dot_portable(const float* a, const float* b, std::size_t n);

struct ScoredSlot {
  std::uint32_t slot = 0;
  double score = 0;
};

// Not thread-safe; its namespace's lock guards it.
class VectorIndex {
 public:
  explicit VectorIndex(VectorSpace space) : space_(std::move(space)), codes_(space_.dimension) {}

  const VectorSpace& space() const { return space_; }
  std::size_t size() const { return slots_.size() + tokens_.size(); }
  bool has(std::uint32_t slot) const { return rows_.contains(slot) || tokens_.contains(slot); }
  std::span<const float> row(std::uint32_t slot) const;  // REQUIRES: has(slot), not kMaxSim
  const TokenVectors& tokens(std::uint32_t slot) const { return tokens_.at(slot); }  // REQUIRES: has(slot)
  std::size_t bytes() const;

  // Adds or replaces. REQUIRES: vector.size() == space().dimension.
  void put(std::uint32_t slot, std::span<const float> vector);
  // For kMaxSim. REQUIRES: tokens.dimension == space().dimension.
  void put_tokens(std::uint32_t slot, TokenVectors tokens) { tokens_[slot] = std::move(tokens); }
  void erase(std::uint32_t slot);
  // Gives every row its new slot; rows of slots that map to kNone vanish.
  void renumber(const std::vector<std::uint32_t>& to);
  static constexpr std::uint32_t kNone = ~0u;

  // All rows that `keep` accepts (empty: all), scored against `query`: cosine or inner product by the space.
  // REQUIRES: query.size() == space().dimension.
  std::vector<ScoredSlot> score(std::span<const float> query, DotFunction dot,
                                const std::function<bool(std::uint32_t)>& keep) const;
  // Of what score() gives the `k` best and whatever is as good as the k-th, in no order, by reading integers
  // first: the same scores to the bit. `matches`: how many score() would give. REQUIRES: as score(), k > 0.
  struct Nearest {
    std::vector<ScoredSlot> scored;
    std::size_t matches = 0;
  };
  Nearest nearest(std::span<const float> query, std::size_t k, DotFunction dot, CodeDotsFunction code_dots,
                  const std::function<bool(std::uint32_t)>& keep) const;
  // The same for kMaxSim; `query`: rows of the dimension.
  std::vector<ScoredSlot> score_tokens(std::span<const float> query, MaxSimFunction max_sim,
                                       const std::function<bool(std::uint32_t)>& keep) const;

 private:
  double score_of(std::span<const float> query, double scale, std::size_t row, DotFunction dot) const;
  double query_scale(std::span<const float> query) const;
  VectorSpace space_;
  HugeVector<float> values_;                               // size() * dimension
  std::vector<float> inverse_norms_;                       // for cosine
  RowCodes codes_;                                         // of the rows
  std::vector<std::uint32_t> slots_;                       // of each row
  std::unordered_map<std::uint32_t, std::uint32_t> rows_;  // slot -> row
  std::map<std::uint32_t, TokenVectors> tokens_;           // by slot; kMaxSim only
};

// Whether every number is finite and at most 1e15, so that no inner product overflows.
bool comparable(std::span<const float> vector);
// 1 / |v|, or 0 for the zero vector and one so short (below 3e-39) that this is no float.
float inverse_norm(std::span<const float> v);

}  // namespace consort
