// LexicalIndex: an inverted index with BM25 scores over slots (small numbers that its namespace gives to
// items).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory/retrieval/vector_index.h"

namespace consort {

struct Bm25Options {
  double k1 = 1.2, b = 0.75;
};

// S. Robertson, H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, section 3.2,
// with the idf that is never negative: ln(1 + (N - df + 0.5) / (df + 0.5)). A word that stands twice in the
// query counts twice. Not thread-safe; its namespace's lock guards it (score() may run on several threads at
// once).
class LexicalIndex {
 public:
  // REQUIRES: `slot` is new and above every earlier one.
  void add(std::uint32_t slot, const std::vector<std::string>& terms);
  void erase(std::uint32_t slot);
  // Gives every slot its new number (order kept) and drops what erase() left behind.
  void renumber(const std::vector<std::uint32_t>& to, std::size_t new_slots);

  // Slots with at least one of the terms that `keep` accepts (empty: all), in no particular order.
  std::vector<ScoredSlot> score(const std::vector<std::string>& terms, const Bm25Options& options,
                                const std::function<bool(std::uint32_t)>& keep) const;

  std::size_t documents() const { return documents_; }
  std::uint64_t total_length() const { return total_length_; }  // terms of all documents together
  std::size_t terms() const;                                    // with at least one document
  std::size_t document_frequency(const std::string& term) const;
  // Do the slot's counts, the postings and the length agree with these terms? For checks.
  bool agrees(std::uint32_t slot, const std::vector<std::string>& terms) const;
  std::size_t bytes() const;

 private:
  struct Posting {
    std::uint32_t slot = 0, count = 0;
  };
  struct Term {
    std::uint32_t documents = 0;    // live ones; postings may hold dead ones too
    std::vector<Posting> postings;  // slots rise
  };
  struct Document {
    std::uint32_t length = 0;
    bool live = false;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> terms;  // number of the term, count
  };

  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<Term> terms_;
  std::vector<Document> documents_by_slot_;
  std::size_t documents_ = 0;
  std::uint64_t total_length_ = 0;
};

}  // namespace consort
