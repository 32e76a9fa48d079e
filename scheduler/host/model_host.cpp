#include "scheduler/host/model_host.h"

#include <future>
#include <utility>

#include "scheduler/host/host_core.h"

namespace consort {

std::string_view host_state_name(HostState state) {
  switch (state) {
    case HostState::kAbsent:
      return "absent";
    case HostState::kLoading:
      return "loading";
    case HostState::kReady:
      return "ready";
    case HostState::kDraining:
      return "draining";
    case HostState::kFailed:
      return "failed";
  }
  return "absent";
}

std::string model_address(std::string_view id) {
  return "model/" + std::string(id);
}

struct ModelHost::Impl {
  std::shared_ptr<HostCore> core;
};

Result<std::shared_ptr<ModelHost>> ModelHost::create(std::string id, Channel& channel, Lane& lane,
                                                     ModelLoader loader, HostOptions options) {
  auto core = std::make_shared<HostCore>(std::move(id), channel, lane, std::move(loader), options);
  CONSORT_CHECK_OK(core->attach());
  return std::shared_ptr<ModelHost>(new ModelHost(std::make_unique<Impl>(Impl{std::move(core)})));
}

ModelHost::ModelHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModelHost::~ModelHost() {
  impl_->core->stop();
}

const std::string& ModelHost::id() const {
  return impl_->core->id;
}
HostState ModelHost::state() const {
  return impl_->core->state();
}
void ModelHost::load(std::function<void(Status)> ready) {
  impl_->core->load(std::move(ready));
}

Status ModelHost::load_and_wait() {
  std::promise<Status> promise;
  load([&](Status s) { promise.set_value(std::move(s)); });
  return promise.get_future().get();
}

void ModelHost::settle() {
  impl_->core->settle();
}

Status ModelHost::unload(std::chrono::milliseconds patience) {
  return impl_->core->unload(patience, false);
}
void ModelHost::add_reference() {
  ++impl_->core->references;
}
void ModelHost::drop_reference() {
  --impl_->core->references;
}
int ModelHost::references() const {
  return impl_->core->references;
}
double ModelHost::load_ms() const {
  return impl_->core->load_ms;
}
Value ModelHost::stats() const {
  return impl_->core->stats();
}

}  // namespace consort
