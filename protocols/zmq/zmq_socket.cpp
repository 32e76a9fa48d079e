#include "protocols/zmq/zmq_socket.h"

#include <sys/random.h>

#include <array>
#include <functional>
#include <utility>
#include <vector>

namespace consort::zmq {
namespace {

constexpr int kMaxSockets = 65536;            // one for each endpoint; the default of 1023 is soon reached
constexpr std::int64_t kMaxFrame = 80 << 20;  // a frame's header alone must not ask for any allocation

}  // namespace

void* context() {
  static void* const kContext = [] {
    void* made = zmq_ctx_new();
    zmq_ctx_set(made, ZMQ_MAX_SOCKETS, kMaxSockets);
    zmq_ctx_set(made, ZMQ_IO_THREADS, 1);
    return made;
  }();
  return kContext;
}

std::string zmq_error() {
  return zmq_strerror(zmq_errno());
}

Result<Socket> Socket::open(int type, int high_water_mark) {
  void* raw = zmq_socket(context(), type);
  if (!raw) return fail(ErrorKind::kIo, "cannot open a ZeroMQ socket: " + zmq_error());
  Socket socket(raw);
  zmq_setsockopt(raw, ZMQ_MAXMSGSIZE, &kMaxFrame, sizeof kMaxFrame);
  for (const auto& [option, value] : {std::pair{ZMQ_LINGER, 0},
                                      {ZMQ_SNDHWM, high_water_mark},
                                      {ZMQ_RCVHWM, high_water_mark},
                                      {ZMQ_HANDSHAKE_IVL, 5000}})
    CONSORT_CHECK_OK(socket.set(option, value));
  return socket;
}

Socket::Socket(Socket&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
Socket::~Socket() {
  if (socket_) zmq_close(socket_);
}

Status Socket::bind(const std::string& address) {
  if (zmq_bind(socket_, address.c_str()) == 0) return {};
  return fail(ErrorKind::kIo, "cannot listen: " + zmq_error(), address);
}
Status Socket::connect(const std::string& address) {
  if (zmq_connect(socket_, address.c_str()) == 0) return {};
  return fail(ErrorKind::kIo, "cannot connect: " + zmq_error(), address);
}
Status Socket::set(int option, int value) {
  if (zmq_setsockopt(socket_, option, &value, sizeof value) == 0) return {};
  return fail(ErrorKind::kIo, "cannot set a ZeroMQ option: " + zmq_error());
}
Status Socket::set(int option, const std::string& value) {
  if (zmq_setsockopt(socket_, option, value.data(), value.size()) == 0) return {};
  return fail(ErrorKind::kIo, "cannot set a ZeroMQ option: " + zmq_error());
}

HandOver& hand_over_of(const std::string& address) {
  static std::array<HandOver, 64> slots;  // shared slots order more than they must, never less
  return slots[std::hash<std::string>{}(address) % slots.size()];
}

Result<std::unique_ptr<Outlet>> Outlet::connect(const std::string& inproc_address, int high_water_mark) {
  CONSORT_TRY(socket, Socket::open(ZMQ_PUSH, high_water_mark));
  CONSORT_CHECK_OK(socket.connect(inproc_address));
  return std::unique_ptr<Outlet>(new Outlet(std::move(socket), hand_over_of(inproc_address)));
}

std::string random_hex(int bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::vector<unsigned char> noise(static_cast<std::size_t>(bytes));
  std::size_t have = 0;
  while (have < noise.size()) {
    const ssize_t n = ::getrandom(noise.data() + have, noise.size() - have, 0);
    if (n > 0) have += static_cast<std::size_t>(n);
  }
  std::string text;
  for (const unsigned char byte : noise) text += {kHex[byte >> 4], kHex[byte & 15]};
  return text;
}

}  // namespace consort::zmq
