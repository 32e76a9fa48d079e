// The member `words` of retrieval tasks: BM25 over the documents' words, no model.
#include "agents/evaluation/run/calls_parts.h"
#include "memory/retrieval/analyzer.h"
#include "memory/retrieval/lexical_index.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr std::size_t kItemsAtATime = 64;

class WordCalls final : public MemberCalls {
 public:
  explicit WordCalls(const Task& task) : task_(task) {
    std::uint32_t slot = 0;
    for (const TaskDocument& d : task.documents) index_.add(slot++, analyze(d.text, analyzer_));
  }

  std::size_t block() const override { return kItemsAtATime; }

  Result<std::string> prompt_hash(const TaskItem& item, int variant) const override {
    return value_digest(Value::object({{"way", "words"},
                                       {"query", fill_prompt(wording(task_, variant), item)},
                                       {"documents", task_.digest},
                                       {"k1", bm25_.k1},
                                       {"b", bm25_.b},
                                       {"stemming", analyzer_.english_stemming}}));
  }

  Result<MemberAnswers> ask(const std::vector<const TaskItem*>& items, int variant, std::uint64_t) override {
    MemberAnswers out;
    for (const TaskItem* item : items) {
      const std::vector<std::string> terms = analyze(fill_prompt(wording(task_, variant), *item), analyzer_);
      PredictionRow row;
      row.scores.assign(task_.documents.size(), 0.0);  // without a word of the query
      for (const ScoredSlot& s : index_.score(terms, bm25_, {})) row.scores[s.slot] = s.score;
      row.tokens = static_cast<std::int64_t>(terms.size());
      out.rows.push_back(std::move(row));
    }
    return out;
  }

 private:
  const Task& task_;
  const AnalyzerOptions analyzer_;
  const Bm25Options bm25_;
  LexicalIndex index_;
};

}  // namespace

std::unique_ptr<MemberCalls> word_calls(const Task& task) {
  return std::make_unique<WordCalls>(task);
}

}  // namespace consort
