// What numeric functions refuse, said once: nothing given, sizes that do not fit, values that are no numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

// Errors: kInvalid. `name` is what the message calls the values.
Status check_finite(std::span<const double> values, std::string_view name);    // not empty, all finite
Status check_same_size(std::size_t a, std::size_t b, std::string_view names);  // "confidences and marks"
Status check_matrix(const MatrixView& matrix, std::string_view name);          // shape fits, all finite
// Rows of ln p: shape fits, no NaN, none above 0, every row sums to 1 within 1e-6; -infinity is allowed.
Status check_log_distributions(const MatrixView& log_p, std::string_view name);
// `labels`: one a row, each in [0, classes).
Status check_labels(std::span<const std::int32_t> labels, std::size_t rows, std::size_t classes);
Status check_marks(std::span<const std::uint8_t> marks, std::string_view name);  // not empty, each 0 or 1
// `weights`: as many as wanted, finite, none negative, one positive. Returns them summing to 1; empty
// weights stand for equal ones.
Result<std::vector<double>> normalised(std::span<const double> weights, std::size_t wanted);

}  // namespace consort::fitting
