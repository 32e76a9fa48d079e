// The link's life and its thread's loop; what messages mean is in peer_link_messages.cpp.
#include "protocols/zmq/peer_link.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "scheduler/bus/nack.h"

namespace consort::zmq {
namespace {

constexpr int kWireHighWaterMark = 1024;
constexpr int kBatch = 64;  // frames taken before other work is looked at
constexpr std::string_view kScheme = "ipc://";

Result<std::string> path_of(const std::string& address) {
  if (address.rfind(kScheme, 0) != 0 || address.size() < kScheme.size() + 2 || address[kScheme.size()] != '/')
    return fail(ErrorKind::kInvalid, "the bus address must be ipc:///absolute/path", address,
                "processes of one machine meet at a socket file");
  std::string path = address.substr(kScheme.size());
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return fail(ErrorKind::kInvalid, "the socket's path is too long", address, "use a shorter path");
  return path;
}

// Does a process accept connections at this socket file?
bool somebody_listens(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  const bool accepted = ::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  ::close(fd);
  return accepted;
}

}  // namespace

PeerLink::PeerLink(std::shared_ptr<Switch> bus, std::string address, const ZmqOptions& options, bool listens)
    : bus_(std::move(bus)),
      address_(std::move(address)),
      inbox_address_("inproc://link-" + random_hex(16)),
      process_(random_hex(16)),
      options_(options),
      listens_(listens) {}

Result<std::unique_ptr<PeerLink>> PeerLink::listen(std::shared_ptr<Switch> bus, const std::string& address,
                                                   const ZmqOptions& options) {
  CONSORT_TRY(path, path_of(address));
  if (somebody_listens(path))
    return fail(ErrorKind::kUnavailable, "another process listens there already", address,
                "choose another address");
  CONSORT_TRY(wire, Socket::open(ZMQ_ROUTER, kWireHighWaterMark));
  CONSORT_CHECK_OK(wire.set(ZMQ_ROUTER_MANDATORY, 1));
  CONSORT_CHECK_OK(wire.bind(address));
  if (::chmod(path.c_str(), 0600) != 0)
    return fail(ErrorKind::kIo, std::string("cannot protect the socket: ") + std::strerror(errno), address);
  std::unique_ptr<PeerLink> link(new PeerLink(std::move(bus), address, options, true));
  CONSORT_CHECK_OK(link->start(std::move(wire)));
  return link;
}

Result<std::unique_ptr<PeerLink>> PeerLink::join(std::shared_ptr<Switch> bus, const std::string& address,
                                                 const ZmqOptions& options,
                                                 std::chrono::milliseconds patience) {
  CONSORT_CHECK_OK(path_of(address));
  CONSORT_TRY(wire, Socket::open(ZMQ_DEALER, kWireHighWaterMark));
  CONSORT_CHECK_OK(wire.set(ZMQ_IMMEDIATE, 1));
  CONSORT_CHECK_OK(wire.set(ZMQ_RECONNECT_IVL, 50));
  CONSORT_CHECK_OK(wire.set(ZMQ_RECONNECT_IVL_MAX, 1000));
  CONSORT_CHECK_OK(wire.set(ZMQ_ROUTING_ID, random_hex(16)));  // ours to choose: nobody can guess and take it
  CONSORT_CHECK_OK(wire.connect(address));
  std::unique_ptr<PeerLink> link(new PeerLink(std::move(bus), address, options, false));
  auto welcomed = link->welcomed_.get_future();
  CONSORT_CHECK_OK(link->start(std::move(wire)));
  if (welcomed.wait_for(patience) != std::future_status::ready)
    return fail(ErrorKind::kUnavailable, "nobody answers at the bus address", address,
                "start the process that listens there first");
  CONSORT_CHECK_OK(welcomed.get());
  return link;
}

Status PeerLink::start(Socket wire) {
  wire_ = std::make_unique<Socket>(std::move(wire));
  CONSORT_TRY(inbox, Socket::open(ZMQ_PULL, kInprocHighWaterMark));
  CONSORT_CHECK_OK(inbox.bind(inbox_address_));
  inbox_ = std::make_unique<Socket>(std::move(inbox));
  CONSORT_TRY(to_link, Outlet::connect(inbox_address_, kInprocHighWaterMark));
  to_link_ = std::move(to_link);
  CONSORT_TRY(to_bus, bus_->outlet());
  to_bus_ = std::move(to_bus);
  bus_->add_listener(this);  // before the first greeting: no change of addresses is missed
  thread_ = std::thread([this] { run(); });
  return {};
}

PeerLink::~PeerLink() {
  bus_->remove_listener(this);
  if (!thread_.joinable()) return;
  auto stop = std::make_unique<Item>();
  stop->kind = Item::Kind::kStop;
  while (!to_link_->push(stop)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  thread_.join();
  if (listens_) ::unlink(address_.substr(kScheme.size()).c_str());
}

void PeerLink::address_changed(const std::string& address, bool added, const AddressListener* origin,
                               const std::string& peer) {
  auto item = std::make_unique<Item>();
  item->kind = added ? Item::Kind::kAdded : Item::Kind::kRemoved;
  item->address = address;
  if (origin == this) {
    if (!listens_) return;  // the one peer told us
    item->peer = peer;
  }
  post(std::move(item));
}

void PeerLink::post(std::unique_ptr<Item> item) {
  if (to_link_->push(item) || item->kind != Item::Kind::kMessage) return;
  if (wants_refusal(item->message.type))  // on the switch's thread: the refusal goes through our own outlet
    (void)bus_->send(
        *to_bus_, nack_for(item->message, {ErrorKind::kUnavailable, "the link to the other process is full",
                                           address_, "try again later"}));
  bus_->count_nack();
}

// ---- the link's thread ----------------------------------------------------------------------------------

void PeerLink::run() {
  const auto step = std::max(options_.heartbeat / 4, std::chrono::milliseconds(5));
  auto next_tick = Clock::now();
  if (!listens_) say_hello();
  for (;;) {
    const auto now = Clock::now();
    if (now >= next_tick) {
      tick();
      next_tick = now + step;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_tick - Clock::now()).count();
    zmq_pollitem_t items[] = {{inbox_->get(), 0, ZMQ_POLLIN, 0}, {wire_->get(), 0, ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, backlogged() ? 1 : std::max<long>(left, 0));
    flush_backlogs();
    if ((items[0].revents & ZMQ_POLLIN) && !take_items()) break;
    if (items[1].revents & ZMQ_POLLIN) take_frames();
  }
  for (const auto& [route, peer] : peers_) control(route, MessageType::kGoodbye, Value());
  // libzmq hands frames to its I/O thread; a moment lets the goodbye leave before the socket closes.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  while (!peers_.empty()) drop_peer(peers_.begin(), "this process leaves the bus");
  wire_.reset();
  inbox_.reset();
}

bool PeerLink::take_items() {
  HandOver& hand_over = hand_over_of(inbox_address_);
  for (int i = 0; i < kBatch; ++i) {
    Frame frame;
    if (zmq_msg_recv(frame.raw(), inbox_->get(), ZMQ_DONTWAIT) < 0) return true;
    Item* item = item_of<Item>(frame, hand_over);
    if (!item) continue;
    if (item->kind == Item::Kind::kStop) return false;
    handle_item(*item);
  }
  return true;
}

void PeerLink::take_frames() {
  for (int i = 0; i < kBatch; ++i) {
    std::vector<std::shared_ptr<Frame>> frames;
    bool more = true;
    while (more) {
      auto frame = std::make_shared<Frame>();
      if (zmq_msg_recv(frame->raw(), wire_->get(), ZMQ_DONTWAIT) < 0) return;
      more = zmq_msg_more(frame->raw()) != 0;
      // What is beyond the format's limit is taken off the socket and dropped; decode() refuses the rest.
      if (frames.size() < 5 + kMaxTensors) frames.push_back(std::move(frame));
    }
    handle_frames(std::move(frames));
  }
}

void PeerLink::tick() {
  const auto now = Clock::now();
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    const auto current = peer++;
    if (now - current->second.heard > options_.dead_after)
      drop_peer(current, "the process at the other end of " + address_ + " is gone");
    else if (now - current->second.told >= options_.heartbeat)
      control(current->first, MessageType::kHeartbeat, Value());
  }
  if (!listens_ && peers_.empty() && now - last_hello_ >= options_.heartbeat) say_hello();
}

}  // namespace consort::zmq
