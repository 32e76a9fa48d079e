// OneShot: a value that one thread sets and one coroutine waits for, on the coroutine's own executor.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace consort {

// Shared by the waiting coroutine and whoever may set it. set() from any thread: the first value counts.
template <typename T>
class OneShot {
 public:
  using Ptr = std::shared_ptr<OneShot>;

  // Returns whether this value is the one.
  bool set(T value) {
    std::function<void(std::shared_ptr<T>)> resume;
    {
      std::lock_guard lock(mutex_);
      if (value_) return false;
      value_ = std::make_shared<T>(std::move(value));
      resume = std::move(resume_);
      resume_ = nullptr;
    }
    if (resume) resume(value_);
    return true;
  }
  bool is_set() const {
    std::lock_guard lock(mutex_);
    return value_ != nullptr;
  }

  // Waits for the value; one waiter. The awaitable resumes through its executor, never inside set().
  static boost::asio::awaitable<std::shared_ptr<T>> wait(Ptr self) {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(std::shared_ptr<T>)>(
        Install{std::move(self)}, boost::asio::use_awaitable);
  }

 private:
  struct Install {
    Ptr shot;
    template <typename Handler>
    void operator()(Handler&& handler) {
      auto held = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
      auto executor = boost::asio::get_associated_executor(*held);
      shot->install([held, executor](std::shared_ptr<T> value) {
        boost::asio::post(executor,
                          [held, value = std::move(value)]() mutable { (*held)(std::move(value)); });
      });
    }
  };
  void install(std::function<void(std::shared_ptr<T>)> resume) {
    std::shared_ptr<T> now;
    {
      std::lock_guard lock(mutex_);
      if (value_)
        now = value_;
      else
        resume_ = resume;
    }
    if (now) resume(std::move(now));
  }

  mutable std::mutex mutex_;
  std::shared_ptr<T> value_;
  std::function<void(std::shared_ptr<T>)> resume_;
};

}  // namespace consort
