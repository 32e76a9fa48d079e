// Waits on a plain thread for what coroutines on another thread's io_context do. Private to this room.
#pragma once

#include <future>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "scheduler/host/model_handle.h"

namespace consort {

// All run at the same time; results in the order of the list. REQUIRES: not called on io's thread.
template <typename T>
std::vector<Result<T>> wait_on_all(boost::asio::io_context& io, std::vector<Async<T>> tasks) {
  using Promise = std::promise<Result<T>>;
  std::vector<std::future<Result<T>>> futures;
  for (auto& task : tasks) {
    auto promise = std::make_shared<Promise>();
    futures.push_back(promise->get_future());
    boost::asio::co_spawn(io, std::move(task), [promise](std::exception_ptr thrown, Result<T> result) {
      if (thrown)
        promise->set_exception(thrown);
      else
        promise->set_value(std::move(result));
    });
  }
  std::vector<Result<T>> results;
  for (auto& future : futures) results.push_back(future.get());
  return results;
}

template <typename T>
Result<T> wait_on(boost::asio::io_context& io, Async<T> task) {
  std::vector<Async<T>> one;
  one.push_back(std::move(task));
  return std::move(wait_on_all(io, std::move(one)).front());
}

}  // namespace consort
