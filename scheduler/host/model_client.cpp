#include "scheduler/host/model_client.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <utility>

#include "scheduler/host/lost_call.h"
#include "scheduler/host/one_shot.h"
#include "scheduler/host/wire.h"

namespace consort {
namespace {

constexpr std::uint32_t kChunkWindow = 64;              // chunks that may be on their way
constexpr std::uint32_t kCreditStep = 32;               // granted again together
constexpr std::chrono::milliseconds kProbeEvery{1000};  // while waiting: is the host still at it?

std::string random_address() {
  std::random_device device;
  return fmt::format("client/{:08x}{:08x}", device(), device());
}

}  // namespace

namespace detail {

using ReplyShot = OneShot<Result<ModelClient::Reply>>;

struct PendingCall {
  std::string id, to;
  ReplyShot::Ptr shot = std::make_shared<ReplyShot>();
  std::mutex sink_mutex;  // held while the sink runs, so that close() waits for it
  ModelClient::ChunkSink sink;
  std::uint64_t next_chunk = 0;
  std::uint32_t owed = 0;                  // credits to grant
  std::map<std::uint64_t, Message> early;  // chunks that overtook others
  std::optional<SteadyTime> missed;  // when the host first said that it has no such call; receiving thread
  std::atomic<SteadyTime> give_up_at{kNoDeadline};  // after a stop request: how long the answer is awaited
};

}  // namespace detail

using detail::PendingCall;
using PendingPtr = std::shared_ptr<PendingCall>;

struct ModelClient::Impl : std::enable_shared_from_this<ModelClient::Impl> {
  std::unique_ptr<Endpoint> endpoint;
  std::atomic<std::uint64_t> next_id{1};
  mutable std::mutex mutex;
  std::map<std::string, PendingPtr> pending;
  bool closed = false;

  void receive(Message m);
  void take_chunk(const PendingPtr& call, Message m);
  PendingPtr open(std::string to, ChunkSink sink);
  void close(const PendingPtr& call);
  void give_up(const PendingPtr& call, Error error);
  void tell_to_stop(const PendingCall& call);
  bool host_there(const PendingPtr& call);
};

namespace {

Message credit_for(const PendingCall& call, std::uint32_t credits) {
  Message m;
  m.type = MessageType::kCredit;
  m.to = call.to;
  m.correlation = call.id;
  m.credits = credits;
  return m;
}

}  // namespace

// ---- receiving thread -----------------------------------------------------------------------------------

namespace {

// False the first time and shortly after: the answer may have been overtaken.
bool missed_for_long(PendingCall& call) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (!call.missed) call.missed = now;
  return now - *call.missed >= kProbeEvery / 2;
}

}  // namespace

void ModelClient::Impl::receive(Message m) {
  PendingPtr call;
  {
    std::lock_guard lock(mutex);
    const auto at = pending.find(m.correlation);
    if (at == pending.end()) return;  // late: the call is over
    call = at->second;
  }
  if (says_no_such_call(m) && !missed_for_long(*call)) return;
  switch (m.type) {
    case MessageType::kChunk:
      return take_chunk(call, std::move(m));
    case MessageType::kResponse:
      call->shot->set(Reply{std::move(m.body), std::move(m.tensors)});
      return;
    case MessageType::kError:
      call->shot->set(tl::unexpected<Error>(read_error(m.body)));
      return;
    case MessageType::kNack:
      call->shot->set(tl::unexpected<Error>(m.body.find("kind") != nullptr
                                                ? read_error(m.body)
                                                : Error{ErrorKind::kNotFound,
                                                        fmt::format("nobody answers at '{}'", call->to),
                                                        {},
                                                        "load the model first"}));
      return;
    default:
      return;
  }
}

void ModelClient::Impl::take_chunk(const PendingPtr& call, Message m) {
  std::uint32_t grant = 0;
  {
    std::lock_guard lock(call->sink_mutex);
    if (!call->sink || m.sequence < call->next_chunk || call->early.size() > kChunkWindow) return;
    call->early.emplace(m.sequence, std::move(m));
    for (auto at = call->early.begin(); at != call->early.end() && at->first == call->next_chunk;
         at = call->early.erase(at)) {
      ++call->next_chunk;
      ++call->owed;
      call->sink(at->second);
    }
    if (call->owed >= kCreditStep) grant = std::exchange(call->owed, 0);
  }
  if (grant == 0) return;
  (void)endpoint->send(credit_for(*call, grant));
}

// ---- the caller's side ----------------------------------------------------------------------------------

PendingPtr ModelClient::Impl::open(std::string to, ChunkSink sink) {
  auto call = std::make_shared<PendingCall>();
  call->to = std::move(to);
  call->sink = std::move(sink);
  std::lock_guard lock(mutex);
  call->id = fmt::format("{}#{}", endpoint->address(), next_id++);
  if (closed) return nullptr;
  pending.emplace(call->id, call);
  return call;
}

// After this no sink of the call runs any more.
void ModelClient::Impl::close(const PendingPtr& call) {
  {
    std::lock_guard lock(mutex);
    pending.erase(call->id);
  }
  std::lock_guard lock(call->sink_mutex);
  call->sink = nullptr;
}

// Ends a call from this side and tells the host to stop.
void ModelClient::Impl::give_up(const PendingPtr& call, Error error) {
  if (call->shot->set(tl::unexpected<Error>(std::move(error)))) tell_to_stop(*call);
}

void ModelClient::Impl::tell_to_stop(const PendingCall& call) {
  Message cancel;
  cancel.type = MessageType::kCancel;
  cancel.to = call.to;
  cancel.correlation = call.id;
  std::lock_guard lock(mutex);
  if (!closed) (void)endpoint->send(std::move(cancel));
}

// Asks the bus: a credit of nothing to an address that nobody holds is an error. The host answers only when
// it has no such call (lost_call.h).
bool ModelClient::Impl::host_there(const PendingPtr& call) {
  std::lock_guard lock(mutex);
  if (closed) return true;
  const Status sent = endpoint->send(credit_for(*call, 0));
  return sent || sent.error().kind != ErrorKind::kNotFound;
}

namespace {

using TimerPtr = std::shared_ptr<boost::asio::steady_timer>;

// Ends a call whose host has left the bus. Rearms itself until its timer is cancelled.
template <typename Impl>
struct Probe {
  std::weak_ptr<Impl> impl;
  PendingPtr call;
  TimerPtr timer;
  void arm() const {
    timer->expires_after(kProbeEvery);
    timer->async_wait(*this);
  }
  void operator()(const boost::system::error_code& stopped) const {
    const auto self = impl.lock();
    if (stopped || !self || call->shot->is_set()) return;
    if (std::chrono::steady_clock::now() > call->give_up_at.load())
      return self->give_up(call, {ErrorKind::kCancelled, "the request was cancelled", call->to, {}});
    if (self->host_there(call)) return arm();
    self->give_up(
        call, {ErrorKind::kUnavailable, "the model's host has left the bus", call->to, "try again later"});
  }
};

template <typename Impl>
struct GiveUp {  // a named functor: it lives in a coroutine frame
  std::weak_ptr<Impl> impl;
  PendingPtr call;
  Error error;
  void operator()() const {
    if (const auto self = impl.lock()) self->give_up(call, error);
  }
  void operator()(const boost::system::error_code& stopped) const {
    if (!stopped) (*this)();
  }
};

template <typename Impl>
struct Stop {
  std::weak_ptr<Impl> impl;
  PendingPtr call;
  ModelClient::OnStop on_stop;
  void operator()() const {
    const auto self = impl.lock();
    if (!self) return;
    if (on_stop == ModelClient::OnStop::kEnd)
      return self->give_up(call, {ErrorKind::kCancelled, "the request was cancelled", call->to, {}});
    call->give_up_at = std::chrono::steady_clock::now() + ModelClient::kPatience;
    self->tell_to_stop(*call);
  }
};

}  // namespace

boost::asio::awaitable<Result<ModelClient::Reply>> ModelClient::call(std::string to, Value body,
                                                                     RequestContext context,
                                                                     ChunkSink on_chunk,
                                                                     std::vector<TensorLease> tensors,
                                                                     OnStop on_stop) {
  const std::shared_ptr<Impl> impl = impl_;
  Message m;
  m.type = MessageType::kRequest;
  m.to = to;
  m.run = context.run;
  m.task = context.task;
  m.deadline = context.deadline;
  m.credits = on_chunk ? kChunkWindow : 0;
  m.body = std::move(body);
  m.tensors = std::move(tensors);
  const PendingPtr call = impl->open(std::move(to), std::move(on_chunk));
  if (!call) co_return fail(ErrorKind::kUnavailable, "this process is leaving the bus");
  m.id = call->id;
  if (Status sent = impl->endpoint->send(std::move(m)); !sent) {
    impl->close(call);
    co_return forward_error(sent);
  }
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  if (context.deadline != kNoDeadline) {
    timer.expires_at(context.deadline);
    timer.async_wait(GiveUp<Impl>{
        impl,
        call,
        {ErrorKind::kTimeout, "the deadline passed before the model answered", call->to, "allow more time"}});
  }
  const std::stop_callback stopped(context.stop, Stop<Impl>{impl, call, on_stop});
  const auto probe = std::make_shared<boost::asio::steady_timer>(timer.get_executor());
  Probe<Impl>{impl, call, probe}.arm();
  auto answered = detail::ReplyShot::wait(call->shot);
  const std::shared_ptr<Result<Reply>> reply = co_await std::move(answered);
  timer.cancel();
  probe->cancel();
  impl->close(call);
  co_return std::move(*reply);
}

void ModelClient::tell(std::string to, Value body) {
  Message m;
  m.type = MessageType::kRequest;
  m.to = std::move(to);
  m.body = std::move(body);
  (void)impl_->endpoint->send(std::move(m));
}

std::size_t ModelClient::calls_in_flight() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->pending.size();
}

Result<std::shared_ptr<ModelClient>> ModelClient::create(Channel& channel) {
  auto impl = std::make_shared<Impl>();
  Impl* raw = impl.get();
  CONSORT_TRY(endpoint, channel.attach(random_address(), [raw](Message m) { raw->receive(std::move(m)); }));
  impl->endpoint = std::move(endpoint);
  return std::shared_ptr<ModelClient>(new ModelClient(std::move(impl)));
}

ModelClient::ModelClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

ModelClient::~ModelClient() {
  std::map<std::string, PendingPtr> open;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
    open.swap(impl_->pending);
  }
  impl_->endpoint.reset();  // no receiver call runs after this
  for (auto& [id, call] : open)
    call->shot->set(fail(ErrorKind::kUnavailable, "this process is leaving the bus"));
}

}  // namespace consort
