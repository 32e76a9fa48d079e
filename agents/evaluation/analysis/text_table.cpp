#include "agents/evaluation/analysis/text_table.h"

#include <cmath>
#include <numeric>

namespace consort {
namespace {

constexpr double kNatsPerPlainByte = 5.545177444479562;  // ln 256: of a byte that a member does not score

class Reader {
 public:
  Reader(const Task& task, const Splits& splits, const std::vector<MemberTable>& members)
      : task_(task), members_(members), texts_(splits.fit) {
    texts_.insert(texts_.end(), splits.test.begin(), splits.test.end());
  }

  Result<TextTable> read() {
    const std::size_t all = task_.items.size();
    out_.mixing = mixing();
    out_.doubt = out_.mixing == TextMixing::kTokens &&
                 everywhere([](const PredictionRow& row) { return row.text_tokens.has_doubt(); });
    out_.size.assign(all, 0.0);
    out_.nats.assign(members_.size(), std::vector<double>(all, kUnknown));
    if (out_.mixing != TextMixing::kWhole) out_.pieces.resize(all);
    if (out_.doubt) out_.doubts.resize(all);
    for (const std::size_t i : texts_) {
      CONSORT_CHECK_OK(read_size(i));
      CONSORT_CHECK_OK(read_text(i));
      for (std::size_t m = 0; m < members_.size(); ++m)
        if (!std::isfinite(out_.nats[m][i]))
          return fail(ErrorKind::kInvalid, "a part of the text got probability 0", where(m, i));
    }
    return std::move(out_);
  }

 private:
  template <typename Has>
  bool everywhere(const Has& has) const {
    for (const MemberTable& m : members_)
      for (const std::size_t i : texts_)
        if (!has(*m.rows[i])) return false;
    return true;
  }
  TextMixing mixing() const {
    if (everywhere([](const PredictionRow& row) { return !row.byte_logprobs.empty(); }))
      return TextMixing::kBytes;
    if (everywhere([](const PredictionRow& row) { return !row.text_tokens.ends.empty(); }))
      return TextMixing::kTokens;
    return TextMixing::kWhole;
  }

  std::string where(std::size_t m, std::size_t i) const {
    return members_[m].name + ", item " + task_.items[i].id;
  }

  double size_of(const PredictionRow& row) const {
    if (out_.mixing == TextMixing::kBytes) return static_cast<double>(row.byte_logprobs.size());
    if (out_.mixing == TextMixing::kTokens) return static_cast<double>(row.text_tokens.ends.back());
    return row.bytes.empty() ? 0 : static_cast<double>(row.bytes.back());
  }

  Status read_size(std::size_t i) {
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const double size = size_of(*members_[m].rows[i]);
      if (size <= 0 || (m > 0 && size != out_.size[i]))
        return fail(ErrorKind::kInvalid, "members have scored texts of different lengths", where(m, i));
      out_.size[i] = size;
    }
    return {};
  }

  Status read_text(std::size_t i) {
    if (out_.mixing == TextMixing::kWhole) {
      for (std::size_t m = 0; m < members_.size(); ++m) {
        const PredictionRow& row = *members_[m].rows[i];
        out_.nats[m][i] =
            -row.scores.at(0) + kNatsPerPlainByte * (out_.size[i] - static_cast<double>(row.bytes.at(0)));
      }
      return {};
    }
    CONSORT_CHECK_OK(out_.mixing == TextMixing::kBytes ? read_bytes(i) : read_tokens(i));
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const std::vector<double>& lp = out_.pieces[i].lp[m];
      out_.nats[m][i] = 0;
      for (const double v : lp) out_.nats[m][i] -= v;
    }
    return {};
  }

  Status read_bytes(std::size_t i) {
    CodeTable& table = out_.pieces[i];
    table.ends.resize(static_cast<std::size_t>(out_.size[i]));
    std::iota(table.ends.begin(), table.ends.end(), 1);
    for (const MemberTable& member : members_) {
      table.lp.emplace_back();
      for (const float v : member.rows[i]->byte_logprobs)
        table.lp.back().push_back(std::isnan(v) ? -kNatsPerPlainByte : static_cast<double>(v));
    }
    return {};
  }

  Status read_tokens(std::size_t i) {
    std::vector<TextCode> codes;
    for (const MemberTable& member : members_) {
      const TextTokens& tokens = member.rows[i]->text_tokens;
      codes.push_back({member.name, tokens.ends, tokens.logprobs, {}});
      if (!out_.doubt) continue;
      const auto doubles = [](const std::vector<float>& list) {
        return std::vector<double>(list.begin(), list.end());
      };
      out_.doubts[i].push_back(
          {doubles(tokens.entropies), doubles(tokens.firsts), doubles(tokens.seconds), tokens.guesses});
    }
    auto table = code_table(codes, static_cast<std::size_t>(out_.size[i]), CodePieces::kChunks);
    if (!table) {
      table.error().where += ", item " + task_.items[i].id;
      return forward_error(table);
    }
    out_.pieces[i] = std::move(*table);
    return {};
  }

  const Task& task_;
  const std::vector<MemberTable>& members_;
  Places texts_;
  TextTable out_;
};

}  // namespace

Result<TextTable> text_table(const Task& task, const Splits& splits,
                             const std::vector<MemberTable>& members) {
  return Reader(task, splits, members).read();
}

std::vector<double> text_fit_scores(const AnalysisRequest& request) {
  const Splits splits = splits_of(*request.task);
  const auto table = text_table(*request.task, splits, request.members);
  std::vector<double> scores;
  if (!table) return scores;
  for (const std::vector<double>& nats : table->nats)
    scores.push_back(-table->rate([&](std::size_t i) { return nats[i]; }, splits.fit));
  return scores;
}

}  // namespace consort
