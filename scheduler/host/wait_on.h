// Waits on a plain thread for what coroutines on another thread's io_context do.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "scheduler/host/model_handle.h"

namespace consort {

// Runs all at the same time on io's thread, returns when every one has ended, throws what the first of them
// threw. REQUIRES: not called on io's thread.
void run_all(boost::asio::io_context& io, std::vector<boost::asio::awaitable<void>> tasks);

template <typename T>
boost::asio::awaitable<void> keep_result(Async<T> task, std::optional<Result<T>>& into) {
  Result<T> result = co_await std::move(task);
  into.emplace(std::move(result));
}

// The results of run_all in the order of the list.
template <typename T>
std::vector<Result<T>> wait_on_all(boost::asio::io_context& io, std::vector<Async<T>> tasks) {
  std::vector<std::optional<Result<T>>> kept(tasks.size());
  std::vector<boost::asio::awaitable<void>> keeping;
  for (std::size_t i = 0; i < tasks.size(); ++i) keeping.push_back(keep_result(std::move(tasks[i]), kept[i]));
  run_all(io, std::move(keeping));
  std::vector<Result<T>> results;
  for (auto& one : kept) results.push_back(std::move(*one));
  return results;
}

template <typename T>
Result<T> wait_on(boost::asio::io_context& io, Async<T> task) {
  std::vector<Async<T>> one;
  one.push_back(std::move(task));
  return std::move(wait_on_all(io, std::move(one)).front());
}

}  // namespace consort
