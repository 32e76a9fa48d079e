#include "agents/ensemble/fitting/embedding_fusion.h"

#include <cmath>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {
namespace {

// Adds scale * v / |v| to out. Errors: kInvalid for a vector without a direction.
Status add_unit(std::span<const double> v, double scale, std::span<double> out) {
  CONSORT_CHECK_OK(check_finite(v, "an embedding"));
  double squares = 0;
  for (const double x : v) squares += x * x;
  if (!(squares > 0) || !std::isfinite(squares))
    return fail(ErrorKind::kInvalid, "an embedding has no direction");
  const double factor = scale / std::sqrt(squares);
  for (std::size_t i = 0; i < v.size(); ++i) out[i] += factor * v[i];
  return {};
}

}  // namespace

Result<std::vector<double>> unit_mean(MatrixView embeddings) {
  CONSORT_CHECK_OK(check_matrix(embeddings, "embeddings"));
  std::vector<double> sum(embeddings.columns, 0.0), out(embeddings.columns, 0.0);
  const double share = 1 / static_cast<double>(embeddings.rows());
  for (std::size_t r = 0; r < embeddings.rows(); ++r)
    CONSORT_CHECK_OK(add_unit(embeddings.row(r), share, sum));
  double squares = 0;
  for (const double x : sum) squares += x * x;
  constexpr double kNothing = 1e-12;  // what rounding leaves of opposite vectors
  if (std::sqrt(squares) < kNothing)
    return fail(ErrorKind::kInvalid, "the embeddings cancel: they have no mean direction");
  CONSORT_CHECK_OK(add_unit(sum, 1, out));
  return out;
}

Result<std::vector<double>> weighted_concatenation(std::span<const std::vector<double>> parts,
                                                   std::span<const double> given) {
  CONSORT_TRY(weights, normalised(given, parts.size()));
  std::vector<double> out;
  for (std::size_t m = 0; m < parts.size(); ++m) {
    const std::size_t from = out.size();
    out.resize(from + parts[m].size(), 0.0);
    CONSORT_CHECK_OK(add_unit(parts[m], std::sqrt(weights[m]), std::span<double>(out).subspan(from)));
  }
  return out;
}

}  // namespace consort::fitting
