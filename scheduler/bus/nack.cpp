#include "scheduler/bus/nack.h"

namespace consort {

Value error_body(const Error& error) {
  return Value::object({{"kind", std::string(error_kind_name(error.kind))},
                        {"what", error.what},
                        {"where", error.where},
                        {"hint", error.hint}});
}

Message nack_for(const Message& refused, const Error& error) {
  Message nack;
  nack.type = MessageType::kNack;
  nack.id = refused.id + "/nack";
  nack.correlation = refused.type == MessageType::kChunk ? refused.correlation : refused.id;
  nack.run = refused.run;
  nack.task = refused.task;
  nack.from = refused.to;
  nack.to = refused.from;
  nack.attempt = refused.attempt;
  nack.body = error_body(error);
  return nack;
}

}  // namespace consort
