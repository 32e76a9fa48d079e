#include "protocols/zmq/zmq_channel.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "protocols/zmq/peer_link.h"
#include "protocols/zmq/switch.h"

namespace consort {
namespace {

class ZmqEndpoint final : public Endpoint {
 public:
  ZmqEndpoint(std::shared_ptr<zmq::Switch> bus, std::unique_ptr<zmq::Outlet> outlet,
              std::shared_ptr<zmq::Port> port)
      : bus_(std::move(bus)), outlet_(std::move(outlet)), port_(std::move(port)) {}
  ~ZmqEndpoint() override { bus_->detach(port_); }

  const std::string& address() const override { return port_->address; }
  Status send(Message message) override {
    message.from = port_->address;
    if (message.id.empty())
      message.id = port_->address + ":" + std::to_string(next_.fetch_add(1, std::memory_order_relaxed));
    return bus_->send(*outlet_, std::move(message));
  }

 private:
  const std::shared_ptr<zmq::Switch> bus_;
  const std::unique_ptr<zmq::Outlet> outlet_;
  const std::shared_ptr<zmq::Port> port_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace

struct ZmqChannel::Impl {
  ZmqOptions options;
  std::shared_ptr<zmq::Switch> bus;
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<zmq::PeerLink>> links;
};

Result<std::unique_ptr<ZmqChannel>> ZmqChannel::create(ZmqOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  CONSORT_TRY(bus, zmq::Switch::create(options.inbox));
  impl->bus = std::move(bus);
  return std::unique_ptr<ZmqChannel>(new ZmqChannel(std::move(impl)));
}

ZmqChannel::ZmqChannel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ZmqChannel::~ZmqChannel() {
  // The switch stands still before the links go: its thread runs their forwarders.
  impl_->bus->stop();
  impl_->links.clear();
}

Status ZmqChannel::listen(const std::string& address) {
  CONSORT_TRY(link, zmq::PeerLink::listen(impl_->bus, address, impl_->options));
  std::lock_guard lock(impl_->mutex);
  impl_->links.push_back(std::move(link));
  return {};
}

Status ZmqChannel::join(const std::string& address, std::chrono::milliseconds patience) {
  CONSORT_TRY(link, zmq::PeerLink::join(impl_->bus, address, impl_->options, patience));
  std::lock_guard lock(impl_->mutex);
  impl_->links.push_back(std::move(link));
  return {};
}

Status ZmqChannel::wait_for(const std::string& address, std::chrono::milliseconds patience) {
  return impl_->bus->wait_for(address, patience);
}
std::vector<std::string> ZmqChannel::remote_addresses() const {
  return impl_->bus->remote_addresses();
}
std::size_t ZmqChannel::peers() const {
  std::lock_guard lock(impl_->mutex);
  std::size_t sum = 0;
  for (const auto& link : impl_->links) sum += link->peers();
  return sum;
}

Result<std::unique_ptr<Endpoint>> ZmqChannel::attach(std::string address, Receiver on_message) {
  CONSORT_TRY(outlet, impl_->bus->outlet());
  CONSORT_TRY(port, impl_->bus->attach(std::move(address), std::move(on_message)));
  return std::unique_ptr<Endpoint>(new ZmqEndpoint(impl_->bus, std::move(outlet), std::move(port)));
}

void ZmqChannel::pause() {
  impl_->bus->pause();
}
void ZmqChannel::resume() {
  impl_->bus->resume();
}
ChannelStats ZmqChannel::stats() const {
  return impl_->bus->stats();
}

std::string ZmqChannel::describe() const {
  std::lock_guard lock(impl_->mutex);
  std::string text = "zmq inproc";
  for (const auto& link : impl_->links) text += " + " + link->address();
  return text;
}

}  // namespace consort
