// How a client that waits without a deadline learns that its request or its answer was lost on the way: now
// and then it sends a credit of nothing for the call (which the bus itself refuses when the host has left),
// and whoever serves the address but has no such call under way says so with this message. It never overtakes
// an answer that is on its way from the same sender, on a bus that keeps its order; the client believes the
// second one, a while after the first.
#pragma once

#include "scheduler/bus/message.h"
#include "scheduler/bus/nack.h"

namespace consort {

inline constexpr const char* kLostCall = "/lost";  // end of the message's id

inline bool asks_for_call(const Message& m) {
  return m.type == MessageType::kCredit && m.credits == 0;
}

inline Message no_such_call(const Message& asked) {
  Message m = nack_for(asked, {ErrorKind::kUnavailable, "the request or its answer was lost on the bus",
                               asked.to, "try again"});
  m.correlation = asked.correlation;
  m.id = asked.id + kLostCall;
  return m;
}

inline bool says_no_such_call(const Message& m) {
  return m.type == MessageType::kNack && m.id.ends_with(kLostCall);
}

}  // namespace consort
