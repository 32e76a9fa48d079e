#include "tests/golden/retrieval_rig.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <stdexcept>

#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

const char* const kMiniLm = "all-minilm-l6-v2";
const char* const kBge = "bge-small-en-v1.5";
const char* const kColbert = "answerai-colbert-small-v1";
const char* const kReranker = "ms-marco-minilm-l12-v2";
constexpr std::size_t kCandidates = 10, kDepth = 100;
// As the model's authors advise; the catalogue says the same.
const std::string kBgeQuery = "Represent this sentence for searching relevant passages: ";

// A vector, or a row for each token, of each text.
std::vector<std::vector<float>> vectors_of(const std::string& model, const std::vector<std::string>& texts,
                                           bool query) {
  Rig& rig = shared_rig(model);
  const EmbeddingLevel level = rig.network().info().level;
  std::vector<std::string> prefixed;
  for (const std::string& text : texts) prefixed.push_back(query && model == kBge ? kBgeQuery + text : text);
  std::vector<NetworkInput> inputs;
  for (const std::string& text : prefixed) inputs.push_back({.kind = InputKind::kText, .text = text});
  const auto samples = rig.prepare(inputs);
  const auto all = rig.embed(samples, level);
  const auto width = static_cast<std::size_t>(rig.network().info().dimension);
  std::vector<std::vector<float>> vectors;
  auto at = all.begin();
  for (const auto& sample : samples) {
    const std::size_t rows = level == EmbeddingLevel::kPart ? static_cast<std::size_t>(sample->tokens) : 1;
    vectors.emplace_back(at, at + static_cast<std::ptrdiff_t>(rows * width));
    at += static_cast<std::ptrdiff_t>(rows * width);
  }
  return vectors;
}

VectorSpace space_of(const std::string& model) {
  const NetworkInfo& info = shared_rig(model).network().info();
  return {model, info.weights_digest, static_cast<std::size_t>(info.dimension),
          info.level == EmbeddingLevel::kPart ? VectorMetric::kMaxSim : VectorMetric::kCosine};
}

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().line());
  return std::move(*result);
}

}  // namespace

RetrievalSet::RetrievalSet(std::vector<RankedItem> items, std::vector<MarkedQuestion> questions)
    : items_(std::move(items)), questions_(std::move(questions)) {
  std::set<std::string> marks;
  for (const RankedItem& item : items_) marks.insert(item.marks.begin(), item.marks.end());
  for (const MarkedQuestion& q : questions_)
    for (const std::string& mark : q.relevant)
      if (!marks.contains(mark)) throw std::runtime_error("no item answers to the mark '" + mark + "'");
  store_ = value_or_throw(Store::open(folder_ / "s"));
  retrieval_ = value_or_throw(Retrieval::open(*store_));
  for (const char* model : {kMiniLm, kBge, kColbert}) remember(model);
}

void RetrievalSet::remember(const std::string& model) {
  std::vector<std::string> texts;
  for (const RankedItem& item : items_) texts.push_back(item.text);
  auto vectors = vectors_of(model, texts, false);
  std::vector<NewItem> list;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    NewItem item;
    item.text = items_[i].text;
    item.external_id = std::to_string(i);
    item.embedding = std::move(vectors[i]);
    list.push_back(std::move(item));
  }
  RememberOptions options;
  options.space = space_of(model);
  value_or_throw(retrieval_->remember("set", list, options));
}

void RetrievalSet::rerank_hits(const std::string& question, std::vector<SearchHit>& hits) {
  Rig& rig = shared_rig(kReranker);
  std::vector<NetworkInput> pairs;
  std::vector<std::pair<std::string, std::string>> keys;
  for (const SearchHit& hit : hits) {
    std::pair key(question, hit.item.external_id);
    if (scores_.contains(key)) continue;
    keys.push_back(std::move(key));
    pairs.push_back({.kind = InputKind::kPair, .text = question, .passage = hit.item.text});
  }
  const auto scores = pairs.empty() ? std::vector<float>() : rig.classify(rig.prepare(pairs));
  for (std::size_t i = 0; i < keys.size(); ++i) scores_[keys[i]] = scores[i];
  for (SearchHit& hit : hits) hit.score = scores_.at({question, hit.item.external_id});
  std::stable_sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
}

RetrievalQuality RetrievalSet::measure(SearchMode mode, const std::string& space, bool rerank) {
  RetrievalQuality quality;
  for (const MarkedQuestion& q : questions_) {
    SearchQuery query;
    query.name_space = "set";
    query.text = q.question;
    query.mode = mode;
    query.top_k = rerank ? kCandidates : kDepth;
    if (!space.empty()) {
      query.vector = vectors_of(space, {q.question}, true).front();
      query.space = space;
      query.fingerprint = space_of(space).fingerprint;
    }
    auto hits = value_or_throw(retrieval_->search(query)).hits;
    if (rerank) rerank_hits(q.question, hits);
    std::size_t rank = 0;
    for (std::size_t i = 0; i < hits.size() && rank == 0; ++i)
      for (const std::string& mark : items_[std::stoul(hits[i].item.external_id)].marks)
        if (std::find(q.relevant.begin(), q.relevant.end(), mark) != q.relevant.end()) rank = i + 1;
    const double share = 1.0 / static_cast<double>(questions_.size());
    quality.recall1 += rank == 1 ? share : 0;
    quality.recall5 += rank >= 1 && rank <= 5 ? share : 0;
    quality.mrr += rank > 0 ? share / static_cast<double>(rank) : 0;
  }
  return quality;
}

std::vector<RetrievalQuality> RetrievalSet::table(const char* title) {
  struct Way {
    const char* name;
    SearchMode mode;
    const char* space;
  };
  const Way ways[] = {{"by words", SearchMode::kLexical, ""},
                      {"by meaning, MiniLM", SearchMode::kDense, kMiniLm},
                      {"by meaning, bge", SearchMode::kDense, kBge},
                      {"both, MiniLM", SearchMode::kHybrid, kMiniLm},
                      {"both, bge", SearchMode::kHybrid, kBge},
                      {"late interaction, colbert trunk", SearchMode::kLateInteraction, kColbert}};
  std::printf("%s: %zu items, %zu questions\n%-45s recall@1 recall@5  MRR\n", title, items_.size(),
              questions_.size(), "");
  std::vector<RetrievalQuality> rows;
  for (const bool rerank : {false, true})
    for (const Way& way : ways) {
      rows.push_back(measure(way.mode, way.space, rerank));
      std::printf("%-45s  %5.2f    %5.2f   %5.2f\n",
                  (std::string(way.name) + (rerank ? ", reranked" : "")).c_str(), rows.back().recall1,
                  rows.back().recall5, rows.back().mrr);
    }
  return rows;
}

}  // namespace consort::golden
