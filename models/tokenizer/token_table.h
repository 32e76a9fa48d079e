// TokenTable: the texts of a vocabulary in one arena, and a hash table from text to id. Compact (12 bytes a
// token plus its text), built in one pass, no string per token. Immutable after build(); any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace consort {

class TokenTable {
 public:
  static constexpr std::int32_t kNone = -1;

  void reserve(std::size_t tokens, std::size_t bytes);
  // Appends the text of the next id. REQUIRES: total text below 4 GiB (the loader checks).
  void add(std::string_view text);
  // Indexes the ids for which `indexed[id]` is true. Of two equal texts the higher id wins, as in llama.cpp.
  void build(const std::vector<bool>& indexed);

  int size() const { return static_cast<int>(offsets_.size()) - 1; }
  std::string_view text(std::int32_t id) const {
    return {arena_.data() + offsets_[static_cast<std::size_t>(id)],
            offsets_[static_cast<std::size_t>(id) + 1] - offsets_[static_cast<std::size_t>(id)]};
  }
  // The indexed id with this text, or kNone.
  std::int32_t find(std::string_view text) const;
  std::size_t longest() const { return longest_; }  // bytes of the longest indexed text

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t id = kNone;
  };
  std::string arena_;
  std::vector<std::uint32_t> offsets_ = {0};
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace consort
