#include <algorithm>
#include <utility>

#include "protocols/zmq/peer_link.h"
#include "scheduler/bus/nack.h"

namespace consort::zmq {
namespace {

constexpr std::int64_t kProtocol = 1;
constexpr std::size_t kMaxPending = 65536;    // unanswered requests remembered for one peer
constexpr std::size_t kMaxBacklog = 4096;     // messages that wait for room on the socket
constexpr std::size_t kMaxAddresses = 65536;  // of one peer
constexpr std::size_t kMaxAddressBytes = 512;

bool is_control(const Message& m) {
  return m.to.empty();
}

}  // namespace

void PeerLink::handle_item(Item& item) {
  switch (item.kind) {
    case Item::Kind::kMessage:
      return forward(item.peer, std::move(item.message));
    case Item::Kind::kAdded:
    case Item::Kind::kRemoved: {
      const char* key = item.kind == Item::Kind::kAdded ? "add" : "remove";
      const Value body = Value::object({{key, Value::array({Value(item.address)})}});
      for (const auto& [route, peer] : peers_)
        if (item.peer.empty() || route != item.peer) control(route, MessageType::kEvent, body);
      return;
    }
    case Item::Kind::kStop:
      return;
  }
}

// ---- from the wire --------------------------------------------------------------------------------------

void PeerLink::handle_frames(std::vector<std::shared_ptr<Frame>> frames) {
  std::string route;
  std::size_t first = 0;
  if (listens_) {
    if (frames.empty()) return;
    route.assign(reinterpret_cast<const char*>(frames[0]->data()), frames[0]->size());
    first = 1;
  }
  WireFrames parts;
  for (std::size_t i = first; i < frames.size(); ++i)
    parts.push_back({{frames[i]->data(), frames[i]->size()}, frames[i]});
  auto message = decode(parts, Clock::now());
  if (!message) return handle_malformed(route, parts, message.error());
  const auto peer = peers_.find(route);
  if (peer != peers_.end()) peer->second.heard = Clock::now();
  if (is_control(*message)) return handle_control(route, *message);
  if (peer == peers_.end()) {  // it took us for gone, or we it: begin again
    if (listens_)
      control(route, MessageType::kNack, Value());
    else
      say_hello();
    return bus_->count_malformed();
  }
  handle_message(route, peer->second, std::move(*message));
}

// The envelope may still say who waits: the caller gets an error instead of silence.
void PeerLink::handle_malformed(const std::string& route, const WireFrames& frames, const Error& error) {
  bus_->count_malformed();
  const auto peer = peers_.find(route);
  auto envelope = decode_envelope(frames);
  if (!envelope || peer == peers_.end() || is_control(*envelope)) return;
  if (!peer->second.addresses.contains(envelope->from)) return;
  if (wants_refusal(envelope->type)) {
    (void)transmit(route, nack_for(*envelope, error));
  } else if (ends_request(envelope->type)) {
    envelope->type = MessageType::kError;
    envelope->body = error_body(error);
    deliver(std::move(*envelope));
  }
}

void PeerLink::handle_control(const std::string& route, const Message& message) {
  const auto peer = peers_.find(route);
  switch (message.type) {
    case MessageType::kHello:
    case MessageType::kWelcome:
      return greet(route, message);
    case MessageType::kEvent:
      if (peer != peers_.end()) change_addresses(route, peer->second, message.body);
      return;
    case MessageType::kGoodbye:
      if (peer != peers_.end())
        drop_peer(peer, "the process at the other end of " + address_ + " has left the bus");
      return;
    case MessageType::kHeartbeat:
      if (peer == peers_.end() && listens_) control(route, MessageType::kNack, Value());
      return;
    case MessageType::kNack:  // "I do not know you": say hello again
      if (!listens_) say_hello();
      return;
    case MessageType::kError:
      if (!welcome_told_) {
        welcome_told_ = true;
        const Value what = message.body.get("what");
        welcomed_.set_value(fail(ErrorKind::kUnavailable,
                                 what.is_string() ? what.as_string() : "the other process refused",
                                 address_));
      }
      return;
    default:
      bus_->count_malformed();
  }
}

void PeerLink::greet(const std::string& route, const Message& hello) {
  const Value protocol = hello.body.get("protocol"), addresses = hello.body.get("addresses");
  if (!protocol.is_integer() || protocol.as_integer() != kProtocol || !addresses.is_array()) {
    control(route, MessageType::kError,
            Value::object({{"what", "the other process speaks protocol " + std::to_string(kProtocol)}}));
    return bus_->count_malformed();
  }
  Peer& peer = peers_[route];
  peer.heard = peer.told = Clock::now();
  peer_count_ = peers_.size();
  replace_addresses(route, peer, addresses);
  if (hello.type == MessageType::kHello) return control(route, MessageType::kWelcome, address_list(&peer));
  // What changed here between our hello and this welcome went to nobody: tell the whole list again.
  control(route, MessageType::kEvent, Value::object({{"all", address_list(&peer).get("addresses")}}));
  if (welcome_told_) return;
  welcome_told_ = true;
  welcomed_.set_value({});
}

void PeerLink::replace_addresses(const std::string& route, Peer& peer, const Value& list) {
  std::set<std::string> listed;
  for (const Value& address : list.as_array())
    if (address.is_string()) listed.insert(address.as_string());
  const auto held = peer.addresses;
  for (const auto& address : held)
    if (!listed.contains(address)) remove_address(route, peer, address);
  for (const auto& address : listed) add_address(route, peer, address);
}

// Everything that can be reached here, without what `to` itself holds.
Value PeerLink::address_list(const Peer* to) const {
  Value::Array names;
  for (auto& name : bus_->addresses())
    if (!to || !to->addresses.contains(name)) names.emplace_back(std::move(name));
  return Value::object(
      {{"protocol", kProtocol}, {"process", process_}, {"addresses", Value::array(std::move(names))}});
}

void PeerLink::say_hello() {
  last_hello_ = Clock::now();
  control("", MessageType::kHello, address_list(peers_.empty() ? nullptr : &peers_.begin()->second));
}

void PeerLink::change_addresses(const std::string& route, Peer& peer, const Value& body) {
  const Value added = body.get("add"), removed = body.get("remove"), all = body.get("all");
  if (all.is_array()) replace_addresses(route, peer, all);
  if (added.is_array())
    for (const Value& address : added.as_array())
      if (address.is_string()) add_address(route, peer, address.as_string());
  if (removed.is_array())
    for (const Value& address : removed.as_array())
      if (address.is_string()) remove_address(route, peer, address.as_string());
}

void PeerLink::add_address(const std::string& route, Peer& peer, const std::string& address) {
  if (address.empty() || address.size() > kMaxAddressBytes || peer.addresses.size() >= kMaxAddresses) return;
  const auto to_peer = [this, route](Message m) {  // on the switch's thread
    auto item = std::make_unique<Item>();
    item->peer = route;
    item->message = std::move(m);
    post(std::move(item));
  };
  if (bus_->attach_remote(address, to_peer, this, route)) peer.addresses.insert(address);
}

void PeerLink::remove_address(const std::string& route, Peer& peer, const std::string& address) {
  if (peer.addresses.erase(address) == 0) return;
  bus_->detach_remote(address, this, route);
  for (auto at = peer.pending.begin(); at != peer.pending.end();) {  // nobody will answer these any more
    const auto request = at++;
    if (request->second.to != address) continue;
    Message lost;
    lost.id = request->first;
    lost.from = request->second.from;
    lost.to = address;
    peer.pending.erase(request);
    bus_->count_nack();
    deliver(nack_for(lost, {ErrorKind::kUnavailable, "'" + address + "' has left the bus", {}, "try again"}));
  }
  const auto talked = peer.talked.extract(address);
  if (talked.empty()) return;
  for (const auto& here : talked.mapped()) {  // hosts stop working for a client that is gone
    Message goodbye;
    goodbye.type = MessageType::kGoodbye;
    goodbye.id = address + "/goodbye";
    goodbye.from = address;
    goodbye.to = here;
    deliver(std::move(goodbye));
  }
}

void PeerLink::handle_message(const std::string& route, Peer& peer, Message message) {
  if (!peer.addresses.contains(message.from)) {
    if (message.type == MessageType::kNack) return;  // of an address that has left: its callers know by now
    return bus_->count_malformed();                  // speaks for somebody else
  }
  if (ends_request(message.type)) peer.pending.erase(message.correlation);
  if (message.type == MessageType::kRequest) peer.talked[message.from].insert(message.to);
  if (!wants_refusal(message.type)) return deliver(std::move(message));
  Message refused;
  refused.type = message.type;
  refused.id = message.id;
  refused.correlation = message.correlation;
  refused.from = message.from;
  refused.to = message.to;
  refused.run = message.run;
  refused.task = message.task;
  refused.attempt = message.attempt;
  if (Status sent = bus_->send(*to_bus_, std::move(message)); !sent) {
    bus_->count_nack();
    (void)transmit(route, nack_for(refused, sent.error()));
  }
}

void PeerLink::deliver(Message message) {
  (void)bus_->send(*to_bus_, std::move(message));
}

// ---- to the wire ----------------------------------------------------------------------------------------

void PeerLink::forward(const std::string& route, Message message) {
  const auto peer = peers_.find(route);
  if (peer == peers_.end())
    return give_back(
        route, std::move(message),
        {ErrorKind::kUnavailable, "the process at the other end of " + address_ + " is gone", {}, {}});
  if (message.type == MessageType::kRequest) remember_pending(peer->second, message);
  auto& backlog = peer->second.backlog;
  if (backlog.empty()) {
    Status sent = transmit(route, message);
    if (sent) return;
    if (sent.error().kind != ErrorKind::kUnavailable)
      return give_back(route, std::move(message), sent.error());
  }
  // The socket is full: wait in order, up to a limit.
  if (backlog.size() < kMaxBacklog) return backlog.push_back(std::move(message));
  give_back(route, std::move(message),
            {ErrorKind::kUnavailable, "the link to the other process is full", address_, "try again later"});
}

void PeerLink::flush_backlogs() {
  for (auto& [route, peer] : peers_) {
    while (!peer.backlog.empty()) {
      Status sent = transmit(route, peer.backlog.front());
      if (!sent && sent.error().kind == ErrorKind::kUnavailable) break;
      Message message = std::move(peer.backlog.front());
      peer.backlog.pop_front();
      if (!sent) give_back(route, std::move(message), sent.error());
    }
  }
}

bool PeerLink::backlogged() const {
  return std::any_of(peers_.begin(), peers_.end(),
                     [](const auto& peer) { return !peer.second.backlog.empty(); });
}

// A message that cannot go to the peer: whoever waits for it or its answer is told.
void PeerLink::give_back(const std::string& route, Message message, const Error& error) {
  const auto peer = peers_.find(route);
  if (error.kind == ErrorKind::kTimeout) bus_->count_late();
  if (wants_refusal(message.type)) {
    if (peer != peers_.end()) peer->second.pending.erase(message.id);
    bus_->count_nack();
    deliver(nack_for(message, error));
  } else if (message.type == MessageType::kResponse && peer != peers_.end()) {
    message.type =
        MessageType::kError;  // the response does not fit the wire: the caller gets the reason instead
    message.body = error_body(error);
    message.tensors.clear();
    message.deadline = kNoDeadline;
    (void)transmit(route, message);
  }
}

void PeerLink::remember_pending(Peer& peer, const Message& request) {
  if (!peer.pending.emplace(request.id, Pending{request.from, request.to}).second) return;
  peer.pending_order.push_back(request.id);
  while (peer.pending_order.size() > kMaxPending) {
    peer.pending.erase(peer.pending_order.front());
    peer.pending_order.pop_front();
  }
}

void PeerLink::drop_peer(Peers::iterator at, const std::string& why) {
  const std::string route = at->first;
  Peer peer = std::move(at->second);
  peers_.erase(at);
  peer_count_ = peers_.size();
  const auto unanswered = std::exchange(peer.pending, {});
  const auto addresses = peer.addresses;
  for (const auto& address : addresses) remove_address(route, peer, address);
  for (const auto& [id, pending] : unanswered) {
    Message lost;
    lost.id = id;
    lost.from = pending.from;
    lost.to = pending.to;
    bus_->count_nack();
    deliver(nack_for(lost, {ErrorKind::kUnavailable, why, pending.to, "try again"}));
  }
}

void PeerLink::control(const std::string& route, MessageType type, Value body) {
  Message m;
  m.type = type;
  m.body = std::move(body);
  (void)transmit(route, m);
}

Status PeerLink::transmit(const std::string& route, const Message& message) {
  CONSORT_TRY(encoded, encode(message, Clock::now()));
  int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
  const auto refused = [&] {
    return fail(ErrorKind::kUnavailable,
                zmq_errno() == EAGAIN ? "the link to the other process is full"
                                      : "the other process is not connected",
                address_, "try again later");
  };
  if (listens_ && zmq_send(wire_->get(), route.data(), route.size(), flags) < 0) return refused();
  if (zmq_send(wire_->get(), encoded.preamble.data(), encoded.preamble.size(), flags) < 0) return refused();
  if (zmq_send(wire_->get(), encoded.header.data(), encoded.header.size(), flags) < 0) return refused();
  if (encoded.tensors.empty()) flags = ZMQ_DONTWAIT;
  if (zmq_send(wire_->get(), encoded.body.data(), encoded.body.size(), flags) < 0) return refused();
  for (std::size_t i = 0; i < encoded.tensors.size(); ++i) {
    // The lease's owner lives until ZeroMQ has written the bytes (its I/O thread releases it).
    const TensorView& view = encoded.tensors[i].view;
    using Owner = std::shared_ptr<const void>;
    auto* owner = new Owner(encoded.tensors[i].owner);
    zmq_msg_t frame;
    static HandOver to_io_thread;
    const auto release = [](void*, void* hint) {
      to_io_thread.take();
      delete static_cast<Owner*>(hint);
    };
    to_io_thread.give();
    if (zmq_msg_init_data(&frame, view.data, view.bytes(), release, owner) != 0) {
      delete owner;
      zmq_msg_init(&frame);
    }
    const bool last = i + 1 == encoded.tensors.size();
    if (zmq_msg_send(&frame, wire_->get(), ZMQ_DONTWAIT | (last ? 0 : ZMQ_SNDMORE)) < 0) {
      zmq_msg_close(&frame);
      return refused();
    }
  }
  if (const auto peer = peers_.find(route); peer != peers_.end()) peer->second.told = Clock::now();
  return {};
}

}  // namespace consort::zmq
