#include "agents/ensemble/fitting/checks.h"

#include <cmath>
#include <string>

namespace consort::fitting {
namespace {

constexpr double kSumTolerance = 1e-6;  // float logits through a float log-softmax stay well inside

tl::unexpected<Error> wrong(std::string_view name, const std::string& what) {
  return fail(ErrorKind::kInvalid, std::string(name) + ": " + what);
}

Status check_shape(const MatrixView& matrix, std::string_view name) {
  if (matrix.columns == 0 || matrix.values.empty()) return wrong(name, "there are none");
  if (matrix.values.size() % matrix.columns != 0) {
    return wrong(name, std::to_string(matrix.values.size()) + " values do not fill rows of " +
                           std::to_string(matrix.columns));
  }
  return {};
}

}  // namespace

Status check_finite(std::span<const double> values, std::string_view name) {
  if (values.empty()) return wrong(name, "there are none");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return wrong(name, "value " + std::to_string(i) + " is not finite");
  }
  return {};
}

Status check_same_size(std::size_t a, std::size_t b, std::string_view names) {
  if (a == b) return {};
  return wrong(names,
               "as many of both are needed, there are " + std::to_string(a) + " and " + std::to_string(b));
}

Status check_matrix(const MatrixView& matrix, std::string_view name) {
  CONSORT_CHECK_OK(check_shape(matrix, name));
  return check_finite(matrix.values, name);
}

Status check_log_distributions(const MatrixView& log_p, std::string_view name) {
  CONSORT_CHECK_OK(check_shape(log_p, name));
  for (std::size_t r = 0; r < log_p.rows(); ++r) {
    double sum = 0;
    for (const double lp : log_p.row(r)) {
      if (!(lp <= kSumTolerance)) {
        return wrong(name, "row " + std::to_string(r) + " has a value that is no logarithm of a probability");
      }
      sum += std::exp(lp);
    }
    if (!(std::abs(sum - 1) <= kSumTolerance)) {
      return wrong(name, "row " + std::to_string(r) + " sums to " + std::to_string(sum) + ", not to 1");
    }
  }
  return {};
}

Status check_labels(std::span<const std::int32_t> labels, std::size_t rows, std::size_t classes) {
  CONSORT_CHECK_OK(check_same_size(labels.size(), rows, "labels and items"));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || static_cast<std::size_t>(labels[i]) >= classes) {
      return wrong("labels", "label " + std::to_string(labels[i]) + " of item " + std::to_string(i) +
                                 " is none of " + std::to_string(classes) + " classes");
    }
  }
  return {};
}

Status check_marks(std::span<const std::uint8_t> marks, std::string_view name) {
  if (marks.empty()) return wrong(name, "there are none");
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] > 1) return wrong(name, "mark " + std::to_string(i) + " is neither 0 nor 1");
  }
  return {};
}

Result<std::vector<double>> normalised(std::span<const double> weights, std::size_t wanted) {
  if (wanted == 0) return wrong("weights", "there is nobody to weigh");
  if (weights.empty()) return std::vector<double>(wanted, 1.0 / static_cast<double>(wanted));
  CONSORT_CHECK_OK(check_same_size(weights.size(), wanted, "weights and members"));
  CONSORT_CHECK_OK(check_finite(weights, "weights"));
  double sum = 0;
  for (const double w : weights) {
    if (w < 0) return wrong("weights", "none may be negative");
    sum += w;
  }
  if (!(sum > 0) || !std::isfinite(sum)) return wrong("weights", "one must be above 0, their sum finite");
  std::vector<double> out(weights.begin(), weights.end());
  for (double& w : out) w /= sum;
  return out;
}

}  // namespace consort::fitting
