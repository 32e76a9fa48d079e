#include "agents/calls/streaming.h"

#include <memory>

#include "agents/calls/options.h"

namespace consort {

TextSink token_events(const TaskContext& context) {
  if (!context.emit) return {};
  return [emit = context.emit](std::string_view text, const std::vector<TokenId>&) {
    emit(Value::object({{"text", text_of(text)}}));
  };
}

}  // namespace consort
