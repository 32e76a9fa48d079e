#include "agents/calls/call_kinds.h"

#include <stdexcept>

#include "agents/calls/agent.h"
#include "agents/calls/text_blobs.h"

namespace consort {

#define CONSORT_ENTRY(name) std::shared_ptr<TaskHandler> make_##name##_call(CallServices services);
#include "agents/calls/registry.inc"
#undef CONSORT_ENTRY

namespace {

void add(CallKinds& kinds, std::shared_ptr<TaskHandler> handler, BlobStore* blobs) {
  // A name that stands twice is a mistake in the build's list, found when any command starts.
  if (auto added = kinds.add(taking_text_blobs(std::move(handler), blobs)); !added)
    throw std::logic_error(added.error().line());
}

}  // namespace

std::shared_ptr<const CallKinds> make_call_kinds(CallServices services) {
  auto kinds = std::make_shared<CallKinds>();
#define CONSORT_ENTRY(name) add(*kinds, make_##name##_call(services), services.blobs);
#include "agents/calls/registry.inc"
#undef CONSORT_ENTRY
  kinds->set_agent_schema(agent_schema());
  return kinds;
}

std::shared_ptr<const CallKinds> call_kinds_for_checking() {
  static const auto kinds = make_call_kinds({});
  return kinds;
}

}  // namespace consort
