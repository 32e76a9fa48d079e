// ZeroMQ underneath: the process's one context, sockets and frames that close themselves. A ZmqSocket belongs
// to one thread at a time; Outlet makes a PUSH socket usable from several (its mutex is the full fence that
// ZeroMQ asks for when a socket changes threads).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <zmq.h>

#include "memory/base/status.h"

namespace consort::zmq {

// One context per process, kept to its end: terminating it would wait for sockets of threads that still run,
// and libzmq 4.3.4 has races between several contexts.
void* context();

class Socket {
 public:
  // Opens a socket with the house's options: no lingering, bounded queues, bounded frames. Errors: kIo.
  static Result<Socket> open(int type, int high_water_mark);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  ~Socket();

  Status bind(const std::string& address);     // kIo
  Status connect(const std::string& address);  // kIo
  Status set(int option, int value);
  Status set(int option, const std::string& value);
  void* get() const { return socket_; }

 private:
  explicit Socket(void* socket) : socket_(socket) {}
  void* socket_ = nullptr;
};

// One received frame. Movable; owns its bytes.
class Frame {
 public:
  Frame() { zmq_msg_init(&message_); }
  ~Frame() { zmq_msg_close(&message_); }
  Frame(Frame&& other) noexcept {
    zmq_msg_init(&message_);
    zmq_msg_move(&message_, &other.message_);
  }
  Frame& operator=(Frame&&) = delete;
  zmq_msg_t* raw() { return &message_; }
  const std::byte* data() const { return static_cast<const std::byte*>(zmq_msg_data(mutable_raw())); }
  std::size_t size() const { return zmq_msg_size(mutable_raw()); }

 private:
  zmq_msg_t* mutable_raw() const { return const_cast<zmq_msg_t*>(&message_); }
  zmq_msg_t message_;
};

// ZeroMQ publishes a frame with barriers of its own, which neither the C++ memory model nor TSan knows of.
// The sender says give() before it sends, whoever reads or frees the content says take() first.
class HandOver {
 public:
  void give() { given_.fetch_add(1, std::memory_order_release); }
  void take() { (void)given_.load(std::memory_order_acquire); }

 private:
  alignas(64) std::atomic<std::uint64_t> given_{0};
};
// That of an inproc address. Lives as long as the process: ZeroMQ's threads free frames late.
HandOver& hand_over_of(const std::string& address);

// Sends `item` itself as a frame (a pointer, nothing is copied). True when the socket took it; on false the
// item stays with the caller. ZeroMQ deletes items that never arrive.
template <typename T>
bool send_item(Socket& socket, HandOver& hand_over, std::unique_ptr<T>& item) {
  zmq_msg_t message;
  const auto destroy = [](void* data, void* given) {
    static_cast<HandOver*>(given)->take();
    delete static_cast<T*>(data);
  };
  if (zmq_msg_init_data(&message, item.get(), sizeof(T), destroy, &hand_over) != 0) return false;
  hand_over.give();
  T* raw = item.release();
  if (zmq_msg_send(&message, socket.get(), ZMQ_DONTWAIT) >= 0) return true;
  // Closing the frame deletes the item; the caller wants it back, so its content moves to a new one.
  item = std::make_unique<T>(std::move(*raw));
  zmq_msg_close(&message);
  return false;
}

// The item of a frame that send_item() sent: valid while the frame lives.
template <typename T>
T* item_of(Frame& frame, HandOver& hand_over) {
  hand_over.take();
  return frame.size() == sizeof(T) ? static_cast<T*>(zmq_msg_data(frame.raw())) : nullptr;
}

// The sending end of an inproc pipe, for several threads.
class Outlet {
 public:
  // Errors: kIo.
  static Result<std::unique_ptr<Outlet>> connect(const std::string& inproc_address, int high_water_mark);
  // False when the pipe is full (the item stays with the caller).
  template <typename T>
  bool push(std::unique_ptr<T>& item) {
    std::lock_guard lock(mutex_);
    return send_item(socket_, hand_over_, item);
  }

 private:
  Outlet(Socket socket, HandOver& hand_over) : socket_(std::move(socket)), hand_over_(hand_over) {}
  std::mutex mutex_;
  Socket socket_;
  HandOver& hand_over_;
};

std::string random_hex(int bytes);  // from the system's random source
std::string zmq_error();            // of the last call

}  // namespace consort::zmq
