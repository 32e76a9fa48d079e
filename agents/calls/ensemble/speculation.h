// byteMixture with a drafter: it writes some bytes by itself, the others look at them in one pass each, and
// ByteSearch::verify takes or replaces them. The text is distributed as without a drafter.
#pragma once

#include <functional>

#include "agents/calls/ensemble/byte_seats.h"
#include "agents/ensemble/byte_mixture.h"

namespace consort::ensemble_call {

struct SpeculationCounts {
  int rounds = 0;   // in which something was drafted
  int drafted = 0;  // symbols
  int kept = 0;     // of these
};

// Writes the text. `progress` is called when some of it is final. The seats must be open, for sessions that can
// take `options.bytes` back, and so many bytes longer than the text. Errors: the members'.
boost::asio::awaitable<Status> write_ahead(ByteSeats& seats, ByteSearch& search, SpeculationOptions options,
                                           std::size_t drafter, int max_bytes, SpeculationCounts& counts,
                                           std::function<void()> progress);

}  // namespace consort::ensemble_call
