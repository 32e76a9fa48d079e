#include "scheduler/host/model_directory.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <utility>

#include "scheduler/host/lost_call.h"
#include "scheduler/host/model_client.h"
#include "scheduler/host/one_shot.h"
#include "scheduler/host/serial_worker.h"
#include "scheduler/host/wire.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
namespace {

using HostPtr = std::shared_ptr<ModelHost>;
using LoadShot = OneShot<Status>;

constexpr std::size_t kMaxDirectoryWork = 1024;

// What the client pointer of a handle keeps alive: the client, and a reference to the model.
struct LocalLease {
  std::shared_ptr<ModelClient> client;
  HostPtr host;
  LocalLease(std::shared_ptr<ModelClient> c, HostPtr h) : client(std::move(c)), host(std::move(h)) {
    host->add_reference();
  }
  ~LocalLease() { host->drop_reference(); }
  LocalLease(const LocalLease&) = delete;
};

struct RemoteLease {
  std::shared_ptr<ModelClient> client;
  std::string address, model;
  RemoteLease(std::shared_ptr<ModelClient> c, std::string a, std::string m)
      : client(std::move(c)), address(std::move(a)), model(std::move(m)) {}
  RemoteLease(const RemoteLease&) = delete;
  ~RemoteLease() {
    client->tell(address, wire_request("release", Value::object({{"model", wire_text(model)}})));
  }
};

struct SetLoad {
  LoadShot::Ptr shot;
  Error error;
  void operator()() const { shot->set(tl::unexpected<Error>(error)); }
  void operator()(const boost::system::error_code& stopped) const {
    if (!stopped) (*this)();
  }
};

}  // namespace

struct LocalModelDirectory::Impl : std::enable_shared_from_this<LocalModelDirectory::Impl> {
  Impl(Channel& c, Lane& l, ModelLoader load, HostOptions o)
      : channel(c),
        lane(l),
        loader(std::move(load)),
        options(std::move(o)),
        worker("models", kMaxDirectoryWork) {}

  Result<HostPtr> host_for(const std::string& id);
  void load(const HostPtr& host, std::function<void(Status)> ready);
  std::size_t unload_idle(const ModelHost* but);
  // Requests of other processes.
  void receive(Message m);
  void answer_load(const Message& m, const std::string& model);
  void release(const std::string& peer, const std::string& model);
  void answer(const Message& request, const Status& status, Value body = Value::object());
  // Keeps the digest of a model that is ready.
  void note_weights(const ModelHost& host) {
    std::lock_guard lock(mutex);
    if (weights.find(host.id()) == nullptr)
      weights = weights.with(host.id(), host.stats().get("weights_digest"));
  }
  bool at_work(const std::string& peer, const std::string& id) const {
    std::lock_guard lock(mutex);
    return open.contains({peer, id});
  }

  Channel& channel;
  Lane& lane;
  const ModelLoader loader;
  const HostOptions options;
  std::shared_ptr<ModelClient> client;
  std::unique_ptr<Endpoint> endpoint;
  mutable std::mutex mutex;
  std::map<std::string, HostPtr> hosts;
  std::multimap<std::string, std::shared_ptr<LocalLease>> peers;  // leases held for other processes
  Value weights = Value::object();                                // {id: digest} of models that were ready
  std::set<std::pair<std::string, std::string>> open;             // (peer, id) of requests not answered yet
  SerialWorker worker;                                            // what may block: unloading to make room
};

Result<HostPtr> LocalModelDirectory::Impl::host_for(const std::string& id) {
  std::lock_guard lock(mutex);
  if (const auto at = hosts.find(id); at != hosts.end()) return at->second;
  CONSORT_TRY(host, ModelHost::create(id, channel, lane, loader, options));
  hosts.emplace(id, host);
  return host;
}

// Loads; when memory is short, unloads what nobody holds and tries once more. `ready` runs on a thread of
// ours.
void LocalModelDirectory::Impl::load(const HostPtr& host, std::function<void(Status)> ready) {
  // Weak: whoever waits may drop the directory as soon as `ready` was called, and the last reference to a
  // host must not go on that host's own thread, which it joins.
  host->load(
      [weak = weak_from_this(), weak_host = std::weak_ptr(host), ready = std::move(ready)](Status first) {
        if (first || first.error().kind != ErrorKind::kMemory) return ready(std::move(first));
        const auto self = weak.lock();
        const Status posted = !self ? Status(first) : self->worker.post([weak, weak_host, ready, first] {
          const auto directory = weak.lock();
          const HostPtr again = weak_host.lock();
          if (!directory || !again || directory->unload_idle(again.get()) == 0) return ready(first);
          again->load(ready);
        });
        if (!posted) ready(first);
      });
}

std::size_t LocalModelDirectory::Impl::unload_idle(const ModelHost* but) {
  std::vector<HostPtr> idle;
  {
    std::lock_guard lock(mutex);
    for (const auto& [id, host] : hosts)
      if (host.get() != but && host->references() == 0 && host->state() == HostState::kReady)
        idle.push_back(host);
  }
  std::size_t done = 0;
  for (const HostPtr& host : idle) done += host->unload() ? 1 : 0;
  return done;
}

// ---- for other processes --------------------------------------------------------------------------------

void LocalModelDirectory::Impl::answer(const Message& request, const Status& status, Value body) {
  {
    std::lock_guard lock(mutex);
    open.erase({request.from, request.id});
  }
  Message m;
  m.type = status ? MessageType::kResponse : MessageType::kError;
  m.to = request.from;
  m.correlation = request.id;
  m.body = status ? std::move(body) : to_wire(status.error());
  (void)endpoint->send(std::move(m));
}

void LocalModelDirectory::Impl::receive(Message m) {
  if (m.type == MessageType::kGoodbye) {
    (void)worker.post([self = shared_from_this(), peer = m.from] {
      std::lock_guard lock(self->mutex);
      self->peers.erase(peer);
    });
    return;
  }
  if (asks_for_call(m) && !at_work(m.from, m.correlation)) (void)endpoint->send(no_such_call(m));
  if (m.type != MessageType::kRequest) return;
  auto request = read_wire_request(m.body);
  std::string model;
  Status read;
  if (!request) {
    read = forward_error(request);
  } else {
    WireReader reader(request->request, request->op + " request");
    reader.read("model", model);
    read = reader.finish();
    if (read && request->op != "load" && request->op != "release")
      read = fail(ErrorKind::kInvalid, fmt::format("'{}' is not something a directory does", request->op));
  }
  if (!read) return answer(m, read);
  if (request->op == "load") {
    std::lock_guard lock(mutex);
    open.emplace(m.from, m.id);
  }
  const Status posted = worker.post([self = shared_from_this(), m, model, op = request->op] {
    if (op == "load")
      self->answer_load(m, model);
    else
      self->release(m.from, model);
  });
  if (!posted) answer(m, posted);
}

void LocalModelDirectory::Impl::answer_load(const Message& m, const std::string& model) {
  auto host = host_for(model);
  if (!host) return answer(m, forward_error(host));
  load(*host, [self = shared_from_this(), m, host = *host](Status loaded) {
    if (loaded) {
      auto lease = std::make_shared<LocalLease>(self->client, host);
      std::lock_guard lock(self->mutex);
      self->peers.emplace(m.from, std::move(lease));
    }
    if (!loaded) return self->answer(m, loaded);
    self->answer(m, loaded, Value::object({{"weights_digest", host->stats().get("weights_digest")}}));
  });
}

void LocalModelDirectory::Impl::release(const std::string& peer, const std::string& model) {
  std::lock_guard lock(mutex);
  const auto [first, last] = peers.equal_range(peer);
  for (auto at = first; at != last; ++at) {
    if (at->second->host->id() != model) continue;
    peers.erase(at);
    return;
  }
}

// ---- LocalModelDirectory --------------------------------------------------------------------------------

Result<std::unique_ptr<LocalModelDirectory>> LocalModelDirectory::create(Channel& channel, Lane& lane,
                                                                         ModelLoader loader,
                                                                         HostOptions options,
                                                                         std::string address) {
  if (!options.workers) options.workers = std::make_shared<WorkerPool>(lane.threads());
  auto impl = std::make_shared<Impl>(channel, lane, std::move(loader), std::move(options));
  CONSORT_TRY(client, ModelClient::create(channel));
  impl->client = std::move(client);
  Impl* raw = impl.get();
  CONSORT_TRY(endpoint, channel.attach(std::move(address), [raw](Message m) { raw->receive(std::move(m)); }));
  impl->endpoint = std::move(endpoint);
  return std::unique_ptr<LocalModelDirectory>(new LocalModelDirectory(std::move(impl)));
}

LocalModelDirectory::LocalModelDirectory(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

LocalModelDirectory::~LocalModelDirectory() {
  impl_->worker.stop();  // no peer's request starts a load from here on
  std::map<std::string, HostPtr> hosts;
  {
    std::lock_guard lock(impl_->mutex);
    hosts.swap(impl_->hosts);
  }
  // A load for a peer that is under way holds its host and answers through the endpoint.
  for (const auto& [id, host] : hosts) host->settle();
  impl_->endpoint.reset();
  std::multimap<std::string, std::shared_ptr<LocalLease>> peers;
  {
    std::lock_guard lock(impl_->mutex);
    peers.swap(impl_->peers);
  }
  peers.clear();
  hosts.clear();  // unloads what nobody else holds any more
}

Async<ModelHandle> LocalModelDirectory::acquire(std::string id, RequestContext context) {
  const std::shared_ptr<Impl> impl = impl_;
  Result<HostPtr> host = impl->host_for(id);
  if (!host) co_return forward_error(host);
  auto lease =
      std::make_shared<LocalLease>(impl->client, *host);  // before loading: nobody unloads it meanwhile
  if ((*host)->state() != HostState::kReady) {
    auto shot = std::make_shared<LoadShot>();
    impl->load(*host, [shot](Status s) { shot->set(std::move(s)); });
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    if (context.deadline != kNoDeadline) {
      timer.expires_at(context.deadline);
      timer.async_wait(
          SetLoad{shot, {ErrorKind::kTimeout, "the deadline passed before the model was loaded", id, {}}});
    }
    const std::stop_callback on_stop(
        context.stop, SetLoad{shot, {ErrorKind::kCancelled, "the request was cancelled", id, {}}});
    auto loaded = LoadShot::wait(shot);
    const std::shared_ptr<Status> status = co_await std::move(loaded);
    timer.cancel();
    if (!*status) co_return tl::unexpected<Error>(status->error());
  }
  impl->note_weights(**host);
  ModelClient* client = lease->client.get();
  co_return ModelHandle(std::shared_ptr<ModelClient>(std::move(lease), client), std::move(id));
}

Value LocalModelDirectory::weights() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->weights;
}

Status LocalModelDirectory::unload(const std::string& id) {
  const HostPtr host = find(id);
  if (!host) return fail(ErrorKind::kNotFound, "the model is not loaded", id);
  return host->unload();
}

std::size_t LocalModelDirectory::unload_idle() {
  return impl_->unload_idle(nullptr);
}

HostPtr LocalModelDirectory::find(const std::string& id) const {
  std::lock_guard lock(impl_->mutex);
  const auto at = impl_->hosts.find(id);
  return at == impl_->hosts.end() ? nullptr : at->second;
}

Value LocalModelDirectory::stats() const {
  std::map<std::string, HostPtr> hosts;
  {
    std::lock_guard lock(impl_->mutex);
    hosts = impl_->hosts;
  }
  Value::Object out;
  for (const auto& [id, host] : hosts) out.emplace_back(id, host->stats());
  return Value::object(std::move(out));
}

// ---- RemoteModelDirectory -------------------------------------------------------------------------------

struct RemoteModelDirectory::Impl {
  std::shared_ptr<ModelClient> client;
  std::string address;
  std::mutex mutex;
  Value weights = Value::object();
};

Value RemoteModelDirectory::weights() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->weights;
}

Result<std::unique_ptr<RemoteModelDirectory>> RemoteModelDirectory::create(Channel& channel,
                                                                           std::string address) {
  CONSORT_TRY(client, ModelClient::create(channel));
  auto impl = std::make_shared<Impl>();
  impl->client = std::move(client);
  impl->address = std::move(address);
  return std::unique_ptr<RemoteModelDirectory>(new RemoteModelDirectory(std::move(impl)));
}

RemoteModelDirectory::RemoteModelDirectory(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
RemoteModelDirectory::~RemoteModelDirectory() = default;

Async<ModelHandle> RemoteModelDirectory::acquire(std::string id, RequestContext context) {
  const std::shared_ptr<Impl> impl = impl_;
  Value body = wire_request("load", Value::object({{"model", wire_text(id)}}), context.work_class);
  auto answered = impl->client->call(impl->address, std::move(body), std::move(context));
  const Result<ModelClient::Reply> reply = co_await std::move(answered);
  if (!reply) co_return tl::unexpected<Error>(reply.error());
  auto lease = std::make_shared<RemoteLease>(impl->client, impl->address, id);
  if (const Value* digest = reply->body.find("weights_digest"); digest != nullptr && digest->is_string()) {
    std::lock_guard lock(impl->mutex);
    impl->weights = impl->weights.with(id, *digest);
  }
  ModelClient* client = lease->client.get();
  co_return ModelHandle(std::shared_ptr<ModelClient>(std::move(lease), client), std::move(id));
}

}  // namespace consort
