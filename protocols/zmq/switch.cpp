#include "protocols/zmq/switch.h"

#include <algorithm>
#include <utility>

#include "scheduler/bus/attention.h"
#include "scheduler/bus/nack.h"

namespace consort::zmq {

Result<std::shared_ptr<Switch>> Switch::create(std::uint32_t inbox) {
  std::shared_ptr<Switch> made(new Switch(inbox));
  CONSORT_CHECK_OK(made->start());
  return made;
}

Status Switch::start() {
  CONSORT_TRY(inbound, Socket::open(ZMQ_PULL, kInprocHighWaterMark));
  CONSORT_CHECK_OK(inbound.bind(address_));
  inbound_ = std::make_unique<Socket>(std::move(inbound));
  CONSORT_TRY(own, outlet());
  own_ = std::move(own);
  thread_ = std::thread([this] { run(); });
  return {};
}

Switch::~Switch() {
  stop();
}

void Switch::stop() {
  {
    std::lock_guard lock(delivery_mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  delivery_changed_.notify_all();
  auto last = std::make_unique<Envelope>();
  while (thread_.joinable() && !own_->push(last)) std::this_thread::yield();
  if (thread_.joinable()) thread_.join();
}

Result<std::unique_ptr<Outlet>> Switch::outlet() const {
  return Outlet::connect(address_, kInprocHighWaterMark);
}

// ---- addresses ------------------------------------------------------------------------------------------

Result<std::shared_ptr<Port>> Switch::attach(std::string address, Channel::Receiver receive) {
  auto port = std::make_shared<Port>();
  port->address = address;
  port->receive = std::move(receive);
  {
    std::unique_lock lock(registry_mutex_);
    if (address.empty() || !local_.emplace(address, port).second)
      return fail(ErrorKind::kInvalid, "the bus address is empty or taken", address);
  }
  registry_changed_.notify_all();
  announce(address, true, nullptr, "");
  return port;
}

void Switch::detach(const std::shared_ptr<Port>& port) {
  {
    std::unique_lock lock(registry_mutex_);
    port->attached = false;
    local_.erase(port->address);
  }
  announce(port->address, false, nullptr, "");
  if (std::this_thread::get_id() == thread_.get_id()) return;
  std::unique_lock lock(delivery_mutex_);
  delivery_changed_.wait(lock, [&] { return delivering_ != port.get(); });
}

bool Switch::attach_remote(std::string address, Channel::Receiver forward, const AddressListener* origin,
                           const std::string& peer) {
  auto port = std::make_shared<Port>();
  port->address = address;
  port->receive = std::move(forward);
  {
    std::unique_lock lock(registry_mutex_);
    if (!remote_.emplace(address, port).second) return false;
  }
  registry_changed_.notify_all();
  announce(address, true, origin, peer);
  return true;
}

void Switch::detach_remote(const std::string& address, const AddressListener* origin,
                           const std::string& peer) {
  {
    std::unique_lock lock(registry_mutex_);
    const auto found = remote_.find(address);
    if (found == remote_.end()) return;
    found->second->attached = false;
    remote_.erase(found);
  }
  announce(address, false, origin, peer);
}

std::shared_ptr<Port> Switch::find(const std::string& address) const {
  std::shared_lock lock(registry_mutex_);
  if (const auto here = local_.find(address); here != local_.end()) return here->second;
  const auto there = remote_.find(address);
  return there == remote_.end() ? nullptr : there->second;
}

bool Switch::knows(const std::string& address) const {
  return find(address) != nullptr;
}

Status Switch::wait_for(const std::string& address, std::chrono::milliseconds patience) {
  std::shared_lock lock(registry_mutex_);
  const auto known = [&] { return local_.contains(address) || remote_.contains(address); };
  if (registry_changed_.wait_for(lock, patience, known)) return {};
  return fail(ErrorKind::kNotFound, "nobody answers at '" + address + "'");
}

std::vector<std::string> Switch::addresses() const {
  std::shared_lock lock(registry_mutex_);
  std::vector<std::string> names;
  for (const Ports* ports : {&local_, &remote_})
    for (const auto& [name, port] : *ports) names.push_back(name);
  return names;
}

std::vector<std::string> Switch::remote_addresses() const {
  std::shared_lock lock(registry_mutex_);
  std::vector<std::string> names;
  for (const auto& [name, port] : remote_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

void Switch::add_listener(AddressListener* listener) {
  std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(listener);
}
void Switch::remove_listener(AddressListener* listener) {
  std::lock_guard lock(listeners_mutex_);
  std::erase(listeners_, listener);
}
void Switch::announce(const std::string& address, bool added, const AddressListener* origin,
                      const std::string& peer) {
  std::lock_guard lock(listeners_mutex_);
  for (AddressListener* listener : listeners_) listener->address_changed(address, added, origin, peer);
}

// ---- messages -------------------------------------------------------------------------------------------

Status Switch::send(Outlet& outlet, Message message) {
  // ZeroMQ closes the receiving socket a moment later than asked: its pipes would still take messages.
  if (stopping_) return fail(ErrorKind::kUnavailable, "this process is leaving the bus");
  std::shared_ptr<Port> port = find(message.to);
  if (!port) return fail(ErrorKind::kNotFound, "nobody answers at '" + message.to + "'");
  const std::uint32_t limit = wants_refusal(message.type) ? inbox_ : 2 * inbox_;
  const auto full = [&] {
    port->waiting.fetch_sub(1, std::memory_order_relaxed);
    return fail(ErrorKind::kUnavailable, "the inbox of '" + port->address + "' is full", {},
                "try again later");
  };
  if (port->waiting.fetch_add(1, std::memory_order_relaxed) >= limit) return full();
  auto envelope = std::make_unique<Envelope>();
  envelope->message = std::move(message);
  envelope->port = port;
  if (!outlet.push(envelope)) return full();
  sent_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

namespace {

struct TakeFrame {  // true: a frame came, or the socket will bring none any more
  void* socket;
  Frame& frame;
  int taken = -1;
  bool operator()() {
    taken = zmq_msg_recv(frame.raw(), socket, ZMQ_DONTWAIT);
    return taken >= 0 || (zmq_errno() != EAGAIN && zmq_errno() != EINTR);
  }
};

// The next frame; false when the context is gone.
bool take_frame(void* socket, Frame& frame, Attention& attention) {
  TakeFrame take{socket, frame};
  if (take() || attention.look(take)) return take.taken >= 0;
  while ((take.taken = zmq_msg_recv(frame.raw(), socket, 0)) < 0 && zmq_errno() == EINTR) continue;
  attention.woke();
  return take.taken >= 0;
}

}  // namespace

void Switch::run() {
  HandOver& hand_over = hand_over_of(address_);
  Attention attention;
  for (;;) {
    Frame frame;
    if (!take_frame(inbound_->get(), frame, attention)) break;  // the context is gone
    Envelope* envelope = item_of<Envelope>(frame, hand_over);
    if (!envelope || !envelope->port) break;  // stop
    deliver(*envelope);
  }
  inbound_.reset();  // this thread's socket is closed by this thread
}

void Switch::deliver(Envelope& envelope) {
  Port& port = *envelope.port;
  Message& message = envelope.message;
  {
    std::unique_lock lock(delivery_mutex_);
    delivery_changed_.wait(lock, [&] { return !paused_ || stopping_; });
    port.waiting.fetch_sub(1, std::memory_order_relaxed);
    if (stopping_) return;
    if (port.attached) delivering_ = &port;
  }
  if (!delivering_)
    return refuse(message, {ErrorKind::kNotFound, "nobody answers at '" + port.address + "'", {}, {}});
  const bool late = message.deadline != kNoDeadline && message.deadline < std::chrono::steady_clock::now();
  if (late) {
    count_late();
    refuse(message, {ErrorKind::kTimeout, "the deadline passed on the way", port.address, {}});
  } else {
    delivered_.fetch_add(1, std::memory_order_relaxed);
    port.receive(std::move(message));
  }
  {
    std::lock_guard lock(delivery_mutex_);
    delivering_ = nullptr;
  }
  delivery_changed_.notify_all();
}

void Switch::refuse(const Message& message, const Error& error) {
  if (!wants_refusal(message.type)) return;
  count_nack();
  (void)send(*own_, nack_for(message, error));  // the sender may be gone too
}

void Switch::pause() {
  std::unique_lock lock(delivery_mutex_);
  paused_ = true;
  if (std::this_thread::get_id() != thread_.get_id())
    delivery_changed_.wait(lock, [&] { return delivering_ == nullptr; });
}

void Switch::resume() {
  {
    std::lock_guard lock(delivery_mutex_);
    paused_ = false;
  }
  delivery_changed_.notify_all();
}

ChannelStats Switch::stats() const {
  ChannelStats stats;
  stats.sent = sent_;
  stats.delivered = delivered_;
  stats.dropped_late = dropped_late_;
  stats.nacked = nacked_;
  stats.malformed = malformed_;
  return stats;
}

}  // namespace consort::zmq
