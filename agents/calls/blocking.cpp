#include "agents/calls/blocking.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "memory/base/thread_priority.h"

namespace consort {
namespace {

boost::asio::thread_pool& blocking_pool() {
  static boost::asio::thread_pool pool(2);
  return pool;
}

boost::asio::thread_pool& background_pool() {
  static boost::asio::thread_pool pool(1);
  return pool;
}

boost::asio::awaitable<void> call_there(std::function<void()> work) {
  work();
  co_return;
}

boost::asio::awaitable<void> call_in_background(std::function<void()> work) {
  thread_local const bool lowered = (lower_thread_priority(), true);
  static_cast<void>(lowered);
  work();
  co_return;
}

}  // namespace

boost::asio::awaitable<void> run_on_blocking_pool(std::function<void()> work) {
  auto there = call_there(std::move(work));
  co_await boost::asio::co_spawn(blocking_pool(), std::move(there), boost::asio::use_awaitable);
}

boost::asio::awaitable<void> run_on_background_pool(std::function<void()> work) {
  auto there = call_in_background(std::move(work));
  co_await boost::asio::co_spawn(background_pool(), std::move(there), boost::asio::use_awaitable);
}

}  // namespace consort
