// Refusals: a message that cannot be delivered is answered, never lost in silence.
#pragma once

#include "memory/base/status.h"
#include "scheduler/bus/message.h"

namespace consort {

// The body of kNack and kError messages: {"kind", "what", "where", "hint"}.
Value error_body(const Error& error);
// The kNack to the sender of `refused`. Its correlation is the request: a request's id, a chunk's
// correlation.
Message nack_for(const Message& refused, const Error& error);
// Is the sender told when this type finds nobody? Who asks waits for an answer; who streams can stop; who
// writes a letter learns that it was not read.
inline bool wants_refusal(MessageType type) {
  return type == MessageType::kRequest || type == MessageType::kChunk || type == MessageType::kEvent;
}
// Messages that end a request.
inline bool ends_request(MessageType type) {
  return type == MessageType::kResponse || type == MessageType::kError || type == MessageType::kNack;
}

}  // namespace consort
