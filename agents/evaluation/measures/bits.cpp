#include "agents/evaluation/measures/bits.h"

#include <cmath>
#include <numbers>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {

Result<double> bits_per_byte(double nats, double bytes) {
  if (!(bytes > 0) || !std::isfinite(bytes)) return fail(ErrorKind::kInvalid, "bits a byte need bytes");
  if (!(nats >= 0)) return fail(ErrorKind::kInvalid, "a code length must be at least 0 nats");
  return nats / (std::numbers::ln2 * bytes);
}

Result<double> bits_per_byte(std::span<const double> nats, std::span<const double> bytes) {
  CONSORT_CHECK_OK(fitting::check_same_size(nats.size(), bytes.size(), "code lengths and byte counts"));
  double all_nats = 0, all_bytes = 0;
  for (std::size_t i = 0; i < nats.size(); ++i) {
    if (!(nats[i] >= 0) || !(bytes[i] >= 0)) {
      return fail(ErrorKind::kInvalid, "code lengths and byte counts must be at least 0");
    }
    all_nats += nats[i];
    all_bytes += bytes[i];
  }
  return bits_per_byte(all_nats, all_bytes);
}

}  // namespace consort::measures
