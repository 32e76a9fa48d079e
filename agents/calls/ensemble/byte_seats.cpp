#include "agents/calls/ensemble/byte_seats.h"

#include <algorithm>
#include <utility>

#include "agents/calls/ensemble/side_by_side.h"
#include "agents/calls/ensemble/together.h"
#include "agents/calls/options.h"

namespace consort::ensemble_call {
namespace {

Async<NextBytesResult> open_session(ModelHandle model, OpenBytesRequest request, RequestContext context) {
  auto task = model.open_bytes(std::move(request), std::move(context));
  co_return co_await std::move(task);
}
Async<NextBytesResult> go_on(ModelHandle model, NextBytesRequest request, RequestContext context) {
  auto task = model.next_bytes(std::move(request), std::move(context));
  co_return co_await std::move(task);
}

using Asked = boost::asio::awaitable<std::vector<std::optional<Result<NextBytesResult>>>>;

// Waits for `tasks`, which are of the members `whose`, among `members`.
Asked gather(std::vector<Async<NextBytesResult>> tasks, std::vector<std::size_t> whose, std::size_t members) {
  auto waiting = side_by_side<NextBytesResult>(std::move(tasks));
  auto results = co_await std::move(waiting);
  std::vector<std::optional<Result<NextBytesResult>>> out(members);
  for (std::size_t i = 0; i < whose.size(); ++i) out[whose[i]] = std::move(results[i]);
  co_return out;
}

}  // namespace

Status ByteSeats::check() const {
  std::vector<const Error*> errors;
  for (const ByteSeat& seat : seats_) errors.push_back(seat.error ? &*seat.error : nullptr);
  return enough_members(errors, plan_);
}

boost::asio::awaitable<Status> ByteSeats::acquire() {
  auto waiting = acquire_members(models_, context_, plan_.members);
  take_seats(co_await std::move(waiting), seats_);
  co_return check();
}

boost::asio::awaitable<Status> ByteSeats::open(std::vector<OpenBytesRequest> requests) {
  std::vector<Async<NextBytesResult>> tasks;
  std::vector<std::size_t> whose;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error) continue;
    tasks.push_back(open_session(seats_[m].model, std::move(requests[m]), request_context(context_)));
    whose.push_back(m);
  }
  auto waiting = gather(std::move(tasks), std::move(whose), seats_.size());
  auto results = co_await std::move(waiting);
  co_return keep(std::move(results));
}

boost::asio::awaitable<Status> ByteSeats::ask(std::vector<std::optional<NextBytesRequest>> requests) {
  std::vector<Async<NextBytesResult>> tasks;
  std::vector<std::size_t> whose;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error || !requests[m]) continue;
    requests[m]->session = seats_[m].last.session;
    tasks.push_back(go_on(seats_[m].model, std::move(*requests[m]), request_context(context_)));
    whose.push_back(m);
  }
  auto waiting = gather(std::move(tasks), std::move(whose), seats_.size());
  auto results = co_await std::move(waiting);
  co_return keep(std::move(results));
}

Status ByteSeats::keep(std::vector<std::optional<Result<NextBytesResult>>> results) {
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (!results[m]) continue;
    ByteSeat& seat = seats_[m];
    if (*results[m]) {
      seat.last = std::move(**results[m]);
      seat.open = true;
    } else if (!seat.error) {
      seat.error = std::move(results[m]->error());
    }
  }
  return check();
}

boost::asio::awaitable<void> ByteSeats::close() {
  RequestContext context = request_context(context_);
  context.stop = {};
  std::vector<Async<NextBytesResult>> tasks;
  for (const ByteSeat& seat : seats_) {
    if (!seat.open) continue;
    NextBytesRequest end;
    end.session = seat.last.session;
    end.close = true;
    tasks.push_back(go_on(seat.model, std::move(end), context));
  }
  auto waiting = side_by_side<NextBytesResult>(std::move(tasks));
  (void)co_await std::move(waiting);
}

void ByteSeats::drop_missing(ByteSearch& search) {
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (!seats_[m].error || dropped_[m]) continue;
    search.drop_member(m);
    dropped_[m] = true;
  }
}

bool ByteSeats::full() const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [](const ByteSeat& seat) { return !seat.error && seat.last.full; });
}

}  // namespace consort::ensemble_call
