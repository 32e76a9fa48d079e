// The conditional logit of logistic.h.
#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/newton.h"
#include "agents/ensemble/numbers.h"

namespace consort::fitting {
namespace {

std::vector<double> log_choices(MatrixView rows, std::span<const double> w) {
  std::vector<double> scores(rows.rows(), 0.0);
  for (std::size_t c = 0; c < scores.size(); ++c) {
    for (std::size_t j = 0; j < w.size(); ++j) scores[c] += w[j] * rows.at(c, j);
  }
  return ensemble::log_softmax(std::move(scores));
}

class ChoiceLoss : public Bowl {
 public:
  ChoiceLoss(const Matrix& x, std::span<const std::size_t> choices, std::span<const std::int32_t> truth,
             double penalty)
      : x_(x), choices_(choices), truth_(truth), penalty_(penalty) {}

  std::size_t parameters() const override { return x_.columns; }
  double value(std::span<const double> w) const override {
    double sum = 0;
    for_items([&](std::size_t i, MatrixView rows) {
      sum -= log_choices(rows, w)[static_cast<std::size_t>(truth_[i])];
    });
    for (const double v : w) sum += penalty_ / 2 * v * v;
    return sum;
  }
  void bend(std::span<const double> w, std::vector<double>& slope, SymmetricMatrix& curve) const override {
    const std::size_t d = x_.columns;
    for_items([&](std::size_t i, MatrixView rows) {
      const std::vector<double> log_p = log_choices(rows, w);
      std::vector<double> mean(d, 0.0);
      for (std::size_t c = 0; c < log_p.size(); ++c) {
        for (std::size_t j = 0; j < d; ++j) mean[j] += std::exp(log_p[c]) * rows.at(c, j);
      }
      for (std::size_t j = 0; j < d; ++j)
        slope[j] += mean[j] - rows.at(static_cast<std::size_t>(truth_[i]), j);
      for (std::size_t c = 0; c < log_p.size(); ++c) {
        const double p = std::exp(log_p[c]);
        for (std::size_t a = 0; a < d; ++a) {
          for (std::size_t b = 0; b <= a; ++b) {
            curve.row(a)[b] += p * (rows.at(c, a) - mean[a]) * (rows.at(c, b) - mean[b]);
          }
        }
      }
    });
    for (std::size_t j = 0; j < d; ++j) {
      slope[j] += penalty_ * w[j];
      curve.row(j)[j] += penalty_;
    }
  }

 private:
  template <typename F>
  void for_items(F&& f) const {
    std::size_t first = 0;
    const std::span<const double> all = x_.values;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      f(i, MatrixView{all.subspan(first * x_.columns, choices_[i] * x_.columns), x_.columns});
      first += choices_[i];
    }
  }
  const Matrix& x_;
  std::span<const std::size_t> choices_;
  std::span<const std::int32_t> truth_;
  double penalty_;
};

}  // namespace

std::vector<double> ChoiceStacker::log_probabilities(MatrixView choices) const {
  return log_choices(choices, weights);
}

Result<ChoiceStacker> fit_choice_stacker(MatrixView features, std::span<const std::size_t> choices,
                                         std::span<const std::int32_t> truth, double penalty) {
  CONSORT_CHECK_OK(check_matrix(features, "features"));
  CONSORT_CHECK_OK(check_same_size(choices.size(), truth.size(), "items and truths"));
  CONSORT_CHECK_OK(check_penalty(penalty));
  std::size_t rows = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] < 2 || choices[i] > features.rows() - rows) {
      return fail(ErrorKind::kInvalid,
                  "item " + std::to_string(i) + " needs two choices or more, with features each");
    }
    if (truth[i] < 0 || static_cast<std::size_t>(truth[i]) >= choices[i]) {
      return fail(ErrorKind::kInvalid, "the truth of item " + std::to_string(i) + " is none of its choices");
    }
    rows += choices[i];
  }
  CONSORT_CHECK_OK(check_same_size(rows, features.rows(), "choices and rows of features"));
  const Columns columns(features);
  const Matrix x = columns.standardised(features);
  const NewtonEnd end = newton_minimum(ChoiceLoss(x, choices, truth, penalty));
  ChoiceStacker made;
  made.iterations = end.iterations;
  made.converged = end.converged;
  for (std::size_t j = 0; j < x.columns; ++j)
    made.weights.push_back(end.point[j] * columns.inverse_deviations[j]);
  return made;
}

}  // namespace consort::fitting
