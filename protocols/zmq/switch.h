// Switch: the heart of a process's bus. One thread owns a PULL socket on inproc and delivers what arrives
// there to the ports; every endpoint and every link to another process sends through an outlet of its own. A
// pointer can only come from this process: sockets of other processes never end here.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "protocols/zmq/zmq_socket.h"
#include "scheduler/bus/channel.h"

namespace consort::zmq {

// Pipes are bounded by the inbox counters; this is the tripwire behind them (messages of one sender).
inline constexpr int kInprocHighWaterMark = 16384;

// A place where messages are delivered: an endpoint here, or the way to one in another process.
struct Port {
  std::string address;
  Channel::Receiver receive;
  std::atomic<std::uint32_t> waiting{0};
  std::atomic<bool> attached{true};
};

// Told when an address appears or goes: links pass it on to their peers. `origin` is the link it came from
// and `peer` that link's peer (null and empty for addresses of this process).
class AddressListener {
 public:
  virtual ~AddressListener() = default;
  virtual void address_changed(const std::string& address, bool added, const AddressListener* origin,
                               const std::string& peer) = 0;
};

// Shared by the channel, its endpoints and its links; stopped by the channel.
class Switch : public std::enable_shared_from_this<Switch> {
 public:
  static Result<std::shared_ptr<Switch>> create(std::uint32_t inbox);
  ~Switch();
  void stop();  // drops what is undelivered; joins the thread (not from a receiver)

  Result<std::unique_ptr<Outlet>> outlet() const;
  // kInvalid when an endpoint of this process holds the address.
  Result<std::shared_ptr<Port>> attach(std::string address, Channel::Receiver receive);
  void detach(const std::shared_ptr<Port>& port);  // waits for a delivery under way, unless called by it
  // False when the address is known already.
  bool attach_remote(std::string address, Channel::Receiver forward, const AddressListener* origin,
                     const std::string& peer);
  void detach_remote(const std::string& address, const AddressListener* origin, const std::string& peer);

  // Routes by message.to. Thread-safe as the outlet is. Errors: kNotFound, kUnavailable.
  Status send(Outlet& outlet, Message message);

  bool knows(const std::string& address) const;
  Status wait_for(const std::string& address, std::chrono::milliseconds patience);
  std::vector<std::string> addresses() const;  // local and remote
  std::vector<std::string> remote_addresses() const;
  void add_listener(AddressListener* listener);
  void remove_listener(AddressListener* listener);

  void pause();
  void resume();
  ChannelStats stats() const;
  void count_malformed() { malformed_.fetch_add(1, std::memory_order_relaxed); }
  void count_nack() { nacked_.fetch_add(1, std::memory_order_relaxed); }
  void count_late() { dropped_late_.fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Envelope {
    Message message;
    std::shared_ptr<Port> port;  // null: stop
  };
  using Ports = std::unordered_map<std::string, std::shared_ptr<Port>>;

  explicit Switch(std::uint32_t inbox) : inbox_(inbox) {}
  Status start();
  void run();
  void deliver(Envelope& envelope);
  void refuse(const Message& message, const Error& error);
  std::shared_ptr<Port> find(const std::string& address) const;
  void announce(const std::string& address, bool added, const AddressListener* origin,
                const std::string& peer);

  const std::uint32_t inbox_;
  const std::string address_ = "inproc://bus-" + random_hex(16);
  std::unique_ptr<Socket> inbound_;  // the switch thread's, once started
  std::unique_ptr<Outlet> own_;      // for stop and for refusals

  mutable std::shared_mutex registry_mutex_;
  std::condition_variable_any registry_changed_;
  Ports local_, remote_;
  std::mutex listeners_mutex_;  // never taken while registry_mutex_ is held
  std::vector<AddressListener*> listeners_;

  std::mutex delivery_mutex_;
  std::condition_variable delivery_changed_;
  const Port* delivering_ = nullptr;
  bool paused_ = false;
  std::atomic<bool> stopping_{false};  // set under delivery_mutex_; read by senders without it

  std::atomic<std::uint64_t> sent_{0}, delivered_{0}, dropped_late_{0}, nacked_{0}, malformed_{0};
  std::thread thread_;
};

}  // namespace consort::zmq
