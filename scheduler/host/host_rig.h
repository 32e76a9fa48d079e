// HostRig: a directory of mock models on a bus of this process, with a thread that runs coroutines. Only
// tests include it.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "scheduler/decode/mock_model.h"
#include "scheduler/host/model_client.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/host/test_channel.h"
#include "scheduler/host/wire.h"

namespace consort::mock {

struct HeavyModel final : MockModel {
  using MockModel::MockModel;
  Region weights;
};

struct HostRig {
  explicit HostRig(HostOptions options = {}, std::size_t granules = 256)
      : pool(*DevicePool::create_cpu(granules * kGranuleBytes)), lane(*Lane::start(*pool, {.threads = 2})) {
    directory = *LocalModelDirectory::create(channel, *lane, loader(), options);
    thread = std::thread([this] { io.run(); });
  }
  ~HostRig() {
    work.reset();
    io.stop();
    thread.join();
    directory.reset();
    lane.reset();
  }
  ModelLoader loader() {
    return [this](const std::string& id, Lane&) -> Result<LoadedModel> {
      ++loads;
      if (id == "missing") return fail(ErrorKind::kNotFound, "no such model", id);
      if (id == "gated") {
        gate.wait();
        return fail(ErrorKind::kRuntime, "the gated model never loads", id);
      }
      if (id == "throws") throw std::runtime_error("a broken file");
      LoadedModel out;
      out.id = id;
      out.tokenizer = std::make_shared<LetterTokenizer>();
      if (id == "encoder") {
        out.network = std::make_unique<MockNetwork>();
        out.query_prefix = "q: ";
      } else {
        auto model = std::make_unique<HeavyModel>(KvLayout{2, 4, 1024, DType::kF16});
        if (id.rfind("large", 0) == 0) {
          CONSORT_TRY(region, pool->allocate(20 * kGranuleBytes, {"weights", id}));
          model->weights = std::move(region);
        }
        out.model = std::move(model);
      }
      return out;
    };
  }
  template <typename T>
  std::future<Result<T>> start(Async<T> task) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    boost::asio::co_spawn(io, std::move(task), [promise](std::exception_ptr e, Result<T> r) {
      if (e)
        promise->set_exception(e);
      else
        promise->set_value(std::move(r));
    });
    return promise->get_future();
  }
  template <typename T>
  Result<T> wait(Async<T> task) {
    return start(std::move(task)).get();
  }
  ModelHandle acquire(std::string id) {
    auto handle = wait(directory->acquire(std::move(id), {}));
    EXPECT_TRUE(handle) << handle.error().line();
    return handle ? *handle : ModelHandle();
  }

  std::unique_ptr<DevicePool> pool;
  std::unique_ptr<Lane> lane;
  TestChannel channel;
  std::unique_ptr<LocalModelDirectory> directory;
  std::atomic<int> loads{0};
  std::promise<void> opened;
  std::shared_future<void> gate = opened.get_future().share();  // the model "gated" waits for it, then fails
  boost::asio::io_context io;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work{
      io.get_executor()};
  std::thread thread;
};

inline GenerateRequest story(int max_tokens = 20) {
  GenerateRequest r;
  r.prompt.text = "Once upon a time";
  r.max_tokens = max_tokens;
  r.ignore_eos = true;
  r.sampling.seed = 7;
  return r;
}

}  // namespace consort::mock
