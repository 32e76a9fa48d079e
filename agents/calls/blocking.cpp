#include "agents/calls/blocking.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace consort {
namespace {

boost::asio::thread_pool& blocking_pool() {
  static boost::asio::thread_pool pool(2);
  return pool;
}

boost::asio::awaitable<void> call_there(std::function<void()> work) {
  work();
  co_return;
}

}  // namespace

boost::asio::awaitable<void> run_on_blocking_pool(std::function<void()> work) {
  auto there = call_there(std::move(work));
  co_await boost::asio::co_spawn(blocking_pool(), std::move(there), boost::asio::use_awaitable);
}

}  // namespace consort
