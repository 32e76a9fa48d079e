// Runs blocking work (the store, files) away from the event thread: a small pool of this process, made at
// first use.
#pragma once

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace consort {

boost::asio::thread_pool& blocking_pool();  // two threads; any thread may post to it

template <typename F>
boost::asio::awaitable<decltype(std::declval<F&>()())> call_there(F f) {
  co_return f();
}

// The result of f(), which runs on the pool; the coroutine resumes where it was. `f` takes no arguments and
// must not refer to anything that can go before it has run. GCC 12: make `f` before the co_await expression,
// never inside it.
template <typename F>
boost::asio::awaitable<decltype(std::declval<F&>()())> on_blocking_pool(F f) {
  auto work = call_there<F>(std::move(f));
  co_return co_await boost::asio::co_spawn(blocking_pool(), std::move(work), boost::asio::use_awaitable);
}

}  // namespace consort
