// The loop of a thread that runs an io_context: as io_context::run(), but attentive (attention.h).
#pragma once

namespace boost::asio {
class io_context;
}

namespace consort {

// Returns when the context has no work left or was stopped. One thread for each context.
void run_attentively(boost::asio::io_context& io);

}  // namespace consort
