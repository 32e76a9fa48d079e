// What the options (`with`) of several call kinds share. The runner has validated them against the kind's
// schema; these functions turn them into requests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agents/calls/call_kinds.h"
#include "scheduler/host/requests.h"
#include "scheduler/workflow/task_handler.h"

namespace consort {

// Parses an embedded schema.json; a mistake in it is a logic error of the build.
Value embedded_schema(std::string_view text);

// prompt | messages, template. Errors: kInvalid unless exactly one of the two is there.
Result<Prompt> read_prompt(const Value& with);

// [{role, content}, ...]. Errors: kInvalid with the place.
Result<std::vector<ChatMessage>> read_chat_messages(const Value& list);

// maxTokens, temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, stop, seed,
// logitBias, ignoreEos of `options` into `request`. Without a seed of its own the task's seed is used.
Status read_generation(const Value& options, std::uint64_t task_seed, GenerateRequest& request);

// A request's context from the task's: run, task, deadline, stop token.
RequestContext request_context(const TaskContext& context);

// {promptTokens, cachedTokens, completionTokens, tokens, milliseconds, flop, bytes}.
Value usage_value(const Usage& usage);

// Text from bytes that a model generated: broken UTF-8 becomes U+FFFD.
std::string text_of(std::string_view bytes);

// `what` needs models or a store that this process does not have.
tl::unexpected<Error> not_connected(std::string_view kind, std::string_view what);

}  // namespace consort
