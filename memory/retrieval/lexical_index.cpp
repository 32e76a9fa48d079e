#include "memory/retrieval/lexical_index.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace consort {

void LexicalIndex::add(std::uint32_t slot, const std::vector<std::string>& terms) {
  std::map<std::uint32_t, std::uint32_t> counts;
  for (const auto& term : terms) {
    const auto [it, added] = numbers_.try_emplace(term, static_cast<std::uint32_t>(terms_.size()));
    if (added) terms_.emplace_back();
    ++counts[it->second];
  }
  documents_by_slot_.resize(slot + 1);
  Document& document = documents_by_slot_[slot];
  document.length = static_cast<std::uint32_t>(terms.size());
  document.live = true;
  document.terms.assign(counts.begin(), counts.end());
  for (const auto& [number, count] : document.terms) {
    ++terms_[number].documents;
    terms_[number].postings.push_back({slot, count});
  }
  ++documents_;
  total_length_ += document.length;
}

void LexicalIndex::erase(std::uint32_t slot) {
  Document& document = documents_by_slot_[slot];
  for (const auto& [number, count] : document.terms) --terms_[number].documents;
  --documents_;
  total_length_ -= document.length;
  document = Document{};
}

void LexicalIndex::renumber(const std::vector<std::uint32_t>& to, std::size_t new_slots) {
  std::vector<Document> documents(new_slots);
  for (std::size_t slot = 0; slot < documents_by_slot_.size(); ++slot) {
    if (to[slot] != VectorIndex::kNone) documents[to[slot]] = std::move(documents_by_slot_[slot]);
  }
  documents_by_slot_ = std::move(documents);
  for (Term& term : terms_) {
    std::erase_if(term.postings, [&](const Posting& p) { return to[p.slot] == VectorIndex::kNone; });
    for (Posting& p : term.postings) p.slot = to[p.slot];
    term.postings.shrink_to_fit();
  }
}

std::vector<ScoredSlot> LexicalIndex::score(const std::vector<std::string>& terms, const Bm25Options& options,
                                            const std::function<bool(std::uint32_t)>& keep) const {
  std::vector<ScoredSlot> scored;
  if (documents_ == 0) return scored;
  std::vector<double> sums(documents_by_slot_.size(), 0.0);
  std::vector<std::uint32_t> touched;
  const double n = static_cast<double>(documents_);
  const double average = std::max(1e-9, static_cast<double>(total_length_) / n);
  for (const auto& text : terms) {
    const auto it = numbers_.find(text);
    if (it == numbers_.end() || terms_[it->second].documents == 0) continue;
    const Term& term = terms_[it->second];
    const double df = term.documents;
    const double idf = std::log(1.0 + (n - df + 0.5) / (df + 0.5));
    for (const Posting& p : term.postings) {
      const Document& document = documents_by_slot_[p.slot];
      if (!document.live) continue;
      const double norm = options.k1 * (1.0 - options.b + options.b * document.length / average);
      if (sums[p.slot] == 0.0) touched.push_back(p.slot);
      sums[p.slot] += idf * (p.count * (options.k1 + 1.0)) / (p.count + norm);
    }
  }
  scored.reserve(touched.size());
  for (const auto slot : touched) {
    if (!keep || keep(slot)) scored.push_back({slot, sums[slot]});
  }
  return scored;
}

std::size_t LexicalIndex::terms() const {
  return static_cast<std::size_t>(
      std::count_if(terms_.begin(), terms_.end(), [](const Term& term) { return term.documents > 0; }));
}

std::size_t LexicalIndex::document_frequency(const std::string& term) const {
  const auto it = numbers_.find(term);
  return it == numbers_.end() ? 0 : terms_[it->second].documents;
}

bool LexicalIndex::agrees(std::uint32_t slot, const std::vector<std::string>& terms) const {
  if (slot >= documents_by_slot_.size()) return false;
  const Document& document = documents_by_slot_[slot];
  std::map<std::uint32_t, std::uint32_t> counts;
  for (const auto& term : terms) {
    const auto it = numbers_.find(term);
    if (it == numbers_.end()) return false;
    ++counts[it->second];
  }
  if (!document.live || document.length != terms.size() || document.terms.size() != counts.size())
    return false;
  return std::all_of(document.terms.begin(), document.terms.end(), [&](const auto& entry) {
    const auto& postings = terms_[entry.first].postings;
    const auto at = std::lower_bound(postings.begin(), postings.end(), slot,
                                     [](const Posting& p, std::uint32_t s) { return p.slot < s; });
    return counts[entry.first] == entry.second && at != postings.end() && at->slot == slot &&
           at->count == entry.second;
  });
}

std::size_t LexicalIndex::bytes() const {
  std::size_t sum = terms_.capacity() * sizeof(Term) + documents_by_slot_.capacity() * sizeof(Document);
  for (const auto& [name, number] : numbers_) sum += 48 + name.capacity();
  for (const Term& term : terms_) sum += term.postings.capacity() * sizeof(Posting);
  for (const Document& document : documents_by_slot_) sum += document.terms.capacity() * 8;
  return sum;
}

}  // namespace consort
