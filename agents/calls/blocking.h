// Runs blocking work (the store, files) away from the event thread: small pools of this process, made at
// first use.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>

namespace consort {

// Runs `work` on the pool; the coroutine resumes where it was, with the exception of `work` if it threw one.
// The background pool is one thread of low priority, for bulk work that nobody waits for.
boost::asio::awaitable<void> run_on_blocking_pool(std::function<void()> work);
boost::asio::awaitable<void> run_on_background_pool(std::function<void()> work);

namespace detail {

template <typename F>
boost::asio::awaitable<decltype(std::declval<F&>()())> result_of(
    boost::asio::awaitable<void> (*run)(std::function<void()>), F f) {
  struct State {
    F f;
    std::optional<decltype(std::declval<F&>()())> result;
  };
  auto state =
      std::make_shared<State>(State{std::move(f), std::nullopt});  // outlives a coroutine that is dropped
  std::function<void()> work = [state] { state->result.emplace(state->f()); };
  co_await run(std::move(work));
  co_return std::move(*state->result);
}

}  // namespace detail

// The result of f(), which runs on the pool. `f` takes no arguments and must not refer to anything that can
// go before it has run. GCC 12: make `f` before the co_await expression, never inside it.
template <typename F>
boost::asio::awaitable<decltype(std::declval<F&>()())> on_blocking_pool(F f) {
  return detail::result_of(&run_on_blocking_pool, std::move(f));
}
template <typename F>
boost::asio::awaitable<decltype(std::declval<F&>()())> on_background_pool(F f) {
  return detail::result_of(&run_on_background_pool, std::move(f));
}

}  // namespace consort
