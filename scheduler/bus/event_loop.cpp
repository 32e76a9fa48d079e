#include "scheduler/bus/event_loop.h"

#include <boost/asio/io_context.hpp>

#include "scheduler/bus/attention.h"

namespace consort {
namespace {

struct SomethingRan {
  boost::asio::io_context& io;
  bool operator()() const { return io.poll() > 0 || io.stopped(); }
};

}  // namespace

void run_attentively(boost::asio::io_context& io) {
  Attention attention;
  while (!io.stopped()) {
    if (io.poll() > 0 || attention.look(SomethingRan{io})) continue;
    io.run_one();
    attention.woke();
  }
}

}  // namespace consort
