// TestChannel: the bus of one process for tests: one thread delivers, in order, unless told to pause or to
// shuffle chunks. Only tests include it.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "scheduler/bus/channel.h"

namespace consort::mock {

class TestChannel final : public Channel {
 public:
  TestChannel() : thread_([this] { loop(); }) {}
  ~TestChannel() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  Result<std::unique_ptr<Endpoint>> attach(std::string address, Receiver on_message) override {
    std::lock_guard lock(mutex_);
    if (!receivers_.emplace(address, std::move(on_message)).second)
      return fail(ErrorKind::kInvalid, "the address is taken", address);
    return std::unique_ptr<Endpoint>(new Port(*this, std::move(address)));
  }
  void pause() override { set_paused(true); }
  void resume() override { set_paused(false); }
  ChannelStats stats() const override {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  std::string describe() const override { return "test"; }

  // The most messages that may wait for one address; more are refused. 0 = no limit.
  void set_inbox(std::size_t most) {
    std::lock_guard lock(mutex_);
    inbox_ = most;
  }
  // Chunks with an odd number arrive after the next one.
  void swap_chunks(bool on) {
    std::lock_guard lock(mutex_);
    swap_ = on;
  }

 private:
  struct Port final : Endpoint {
    Port(TestChannel& c, std::string a) : channel(c), name(std::move(a)) {}
    ~Port() override { channel.detach(name); }
    const std::string& address() const override { return name; }
    Status send(Message m) override {
      m.from = name;
      return channel.send(std::move(m));
    }
    TestChannel& channel;
    const std::string name;
  };

  void set_paused(bool on) {
    {
      std::lock_guard lock(mutex_);
      paused_ = on;
    }
    wake_.notify_all();
  }

  Status send(Message m) {
    {
      std::lock_guard lock(mutex_);
      if (!receivers_.contains(m.to)) return fail(ErrorKind::kNotFound, "nobody answers at '" + m.to + "'");
      if (m.id.empty()) m.id = fmt::format("m{}", next_id_++);
      std::size_t waiting = 0;
      for (const Message& w : queue_) waiting += w.to == m.to;
      if (inbox_ > 0 && waiting >= inbox_) return fail(ErrorKind::kUnavailable, "the inbox is full");
      ++stats_.sent;
      const bool overtakes = swap_ && m.type == MessageType::kChunk && !queue_.empty() &&
                             queue_.back().type == MessageType::kChunk &&
                             queue_.back().correlation == m.correlation;
      queue_.insert(overtakes ? queue_.end() - 1 : queue_.end(), std::move(m));
    }
    wake_.notify_all();
    return {};
  }

  void detach(const std::string& address) {
    std::unique_lock lock(mutex_);
    receivers_.erase(address);
    if (std::this_thread::get_id() != thread_.get_id())
      wake_.wait(lock, [&] { return delivering_ != address; });
  }

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || (!paused_ && !queue_.empty()); });
      if (stopping_) return;
      Message m = std::move(queue_.front());
      queue_.pop_front();
      const auto at = receivers_.find(m.to);
      if (at == receivers_.end()) {
        ++stats_.dropped_late;
        continue;
      }
      const Receiver receiver = at->second;
      delivering_ = m.to;
      ++stats_.delivered;
      lock.unlock();
      receiver(std::move(m));
      lock.lock();
      delivering_.clear();
      wake_.notify_all();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Receiver> receivers_;
  std::deque<Message> queue_;
  std::string delivering_;
  ChannelStats stats_;
  std::size_t inbox_ = 0;
  std::uint64_t next_id_ = 0;
  bool paused_ = false, stopping_ = false, swap_ = false;
  std::thread thread_;
};

}  // namespace consort::mock
