// A small retrieval set searched in every way: by words, by meaning, both, by late interaction, each
// reranked.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "memory/retrieval/retrieval.h"
#include "memory/store/temporary_store.h"

namespace consort::golden {

struct RankedItem {
  std::string text;
  std::vector<std::string> marks;  // names that a question may give for this item
};
struct MarkedQuestion {
  std::string question;
  std::vector<std::string> relevant;  // marks; an item with one of them answers
};
struct RetrievalQuality {
  double recall1 = 0, recall5 = 0,
         mrr = 0;  // share of questions with a relevant item first, among five; mean 1/rank
};

// Holds one namespace with vectors of MiniLM, bge and the colbert trunk.
class RetrievalSet {
 public:
  // Embeds all items. Throws when a mark names no item.
  RetrievalSet(std::vector<RankedItem> items, std::vector<MarkedQuestion> questions);
  // `space`: a model's id, "" for words only. `rerank`: the first ten hits are ordered by the cross-encoder.
  RetrievalQuality measure(SearchMode mode, const std::string& space, bool rerank);
  // Prints a table over all ways and returns its rows in order: lexical, dense (MiniLM, bge), hybrid (MiniLM,
  // bge), late interaction; then the same reranked.
  std::vector<RetrievalQuality> table(const char* title);

 private:
  void remember(const std::string& model);
  void rerank_hits(const std::string& question, std::vector<SearchHit>& hits);

  testing::TemporaryDirectory folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> retrieval_;
  std::vector<RankedItem> items_;
  std::vector<MarkedQuestion> questions_;
  std::map<std::pair<std::string, std::string>, double> scores_;  // of the cross-encoder: question, item
};

}  // namespace consort::golden
