// Directories: where handles come from. LocalModelDirectory hosts models in this process and loads them on
// demand; RemoteModelDirectory asks the directory of another process over the bus. Callers see no difference.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"
#include "scheduler/host/model_handle.h"
#include "scheduler/host/model_host.h"

namespace consort {

inline constexpr const char* kDirectoryAddress = "models";  // where a process answers to load and release

// Owned by main. Thread-safe. Also answers RemoteModelDirectory at kDirectoryAddress.
class LocalModelDirectory final : public ModelDirectory {
 public:
  static Result<std::unique_ptr<LocalModelDirectory>> create(Channel& channel, Lane& lane, ModelLoader loader,
                                                             HostOptions options = {},
                                                             std::string address = kDirectoryAddress);
  ~LocalModelDirectory() override;  // unloads every model

  Async<ModelHandle> acquire(std::string id, RequestContext context) override;
  // Unloads one model, or all that nobody holds. Errors: kNotFound; kUnavailable while held.
  Status unload(const std::string& id);
  std::size_t unload_idle();                                     // returns how many
  std::shared_ptr<ModelHost> find(const std::string& id) const;  // null when it was never acquired
  Value stats() const;                                           // object: one member a model
  Value weights() const override;

 private:
  struct Impl;
  explicit LocalModelDirectory(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// Owned by main. Thread-safe.
class RemoteModelDirectory final : public ModelDirectory {
 public:
  static Result<std::unique_ptr<RemoteModelDirectory>> create(Channel& channel,
                                                              std::string address = kDirectoryAddress);
  ~RemoteModelDirectory() override;
  // Errors: what the other process said; kNotFound or kTimeout when nobody answers there.
  Async<ModelHandle> acquire(std::string id, RequestContext context) override;
  Value weights() const override;

 private:
  struct Impl;
  explicit RemoteModelDirectory(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace consort
