// Starts several requests before it waits for any, and gives their results in the order of the list.
#pragma once

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "memory/base/status.h"
#include "scheduler/host/one_shot.h"

namespace consort {

// Every task runs on the executor of the awaiting coroutine. An exception of a task becomes kRuntime.
template <typename T>
boost::asio::awaitable<std::vector<Result<T>>> side_by_side(
    std::vector<boost::asio::awaitable<Result<T>>> tasks) {
  using Shot = OneShot<Result<T>>;
  auto executor = co_await boost::asio::this_coro::executor;
  std::vector<typename Shot::Ptr> shots;
  for (auto& task : tasks) {
    auto shot = std::make_shared<Shot>();
    shots.push_back(shot);
    boost::asio::co_spawn(executor, std::move(task), [shot](std::exception_ptr thrown, Result<T> result) {
      if (thrown) {
        shot->set(fail(ErrorKind::kRuntime, "a member's request ended with an exception"));
      } else {
        shot->set(std::move(result));
      }
    });
  }
  std::vector<Result<T>> results;
  for (auto& shot : shots) {
    auto waiting = Shot::wait(shot);
    std::shared_ptr<Result<T>> result = co_await std::move(waiting);
    results.push_back(std::move(*result));
  }
  co_return results;
}

}  // namespace consort
