// Signal: how coroutines of one run wait for each other, for time and for stop requests. Everything but
// wake_from_anywhere() happens on the run's strand, so a wake-up cannot fall between a test and the wait.
#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "scheduler/bus/message.h"

namespace consort::workflow {

class Signal : public std::enable_shared_from_this<Signal> {
 public:
  explicit Signal(const boost::asio::any_io_executor& strand) : timer_(strand) {}

  // Wakes whoever waits now; nobody waiting is fine.
  void wake() { timer_.cancel(); }
  // From any thread. The signal stays alive until the wake-up has happened.
  void wake_from_anywhere() {
    boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->wake(); });
  }
  // Returns at `until` or at the next wake(), whichever comes first.
  boost::asio::awaitable<void> wait(SteadyTime until) {
    timer_.expires_at(until);
    boost::system::error_code ignored;
    co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }

 private:
  boost::asio::steady_timer timer_;
};
using SignalPtr = std::shared_ptr<Signal>;

}  // namespace consort::workflow
