// Refusals: a message that cannot be delivered is answered, never lost in silence.
#pragma once

#include "memory/base/status.h"
#include "scheduler/bus/message.h"

namespace consort {

// The body of kNack and kError messages: {"kind", "what", "where", "hint"}.
Value error_body(const Error& error);
// The kNack to the sender of `refused`.
Message nack_for(const Message& refused, const Error& error);
// Does the sender wait for an answer to this type? Only then is a refusal sent.
inline bool wants_refusal(MessageType type) {
  return type == MessageType::kRequest;
}
// Messages that end a request.
inline bool ends_request(MessageType type) {
  return type == MessageType::kResponse || type == MessageType::kError || type == MessageType::kNack;
}

}  // namespace consort
