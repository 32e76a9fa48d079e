#include "models/alphabet/cover_options.h"

namespace consort {

Status check_cover(const CoverOptions& o) {
  if (!(o.prune >= 0 && o.prune <= 0.5))
    return fail(ErrorKind::kInvalid, "the pruning bound must be a number from 0 to 0.5", "prune");
  if (o.max_states < 1 || o.max_states > 1024)
    return fail(ErrorKind::kInvalid, "a cover keeps 1 to 1024 states", "max_states");
  if (!(o.temperature > 0 && o.temperature <= 100))
    return fail(ErrorKind::kInvalid, "a temperature above 0, at most 100, is needed", "temperature");
  return {};
}

}  // namespace consort
