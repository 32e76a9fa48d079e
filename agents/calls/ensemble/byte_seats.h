// ByteSeats: the members' sessions of bytes in their hosts, opened together, asked side by side, closed together.
// Members fail hard unless the plan's policy reports errors and enough of them are left.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "agents/calls/ensemble/members.h"
#include "scheduler/decode/byte_search.h"
#include "scheduler/workflow/task_handler.h"

namespace consort::ensemble_call {

struct ByteSeat {
  ModelHandle model;
  std::optional<Error> error;  // it has left; `last` keeps what it had spent
  NextBytesResult last;
  bool open = false;
};

// One run at a time. Directory, context and plan must outlive it.
class ByteSeats {
 public:
  ByteSeats(ModelDirectory& models, const TaskContext& context, const Plan& plan)
      : models_(models), context_(context), plan_(plan), seats_(plan.members.size()) {}

  // The members' models. Errors, here and below: the worst member's, named.
  boost::asio::awaitable<Status> acquire();
  // requests[m]: of member m; not sent for one that has failed.
  boost::asio::awaitable<Status> open(std::vector<OpenBytesRequest> requests);
  // requests[m]: what member m is asked (its session is filled in); none: nothing.
  boost::asio::awaitable<Status> ask(std::vector<std::optional<NextBytesRequest>> requests);
  // Also sessions of members that failed: they may be alive.
  boost::asio::awaitable<void> close();

  // Tells `search` who has left since the last call.
  void drop_missing(ByteSearch& search);
  bool full() const;  // somebody's context has no room
  std::size_t size() const { return seats_.size(); }
  const ByteSeat& operator[](std::size_t m) const { return seats_[m]; }

 private:
  Status keep(std::vector<std::optional<Result<NextBytesResult>>> results);
  Status check() const;

  ModelDirectory& models_;
  const TaskContext& context_;
  const Plan& plan_;
  std::vector<ByteSeat> seats_;
  std::vector<bool> dropped_ = std::vector<bool>(seats_.size(), false);
};

}  // namespace consort::ensemble_call
