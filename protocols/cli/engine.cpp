#include "protocols/cli/engine.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>

#include "agents/calls/call_kinds.h"
#include "kernels/cpu/isa.h"
#include "kernels/distance/distance.h"
#include "memory/device/device_pool.h"
#include "memory/device/process_memory.h"
#include "memory/retrieval/retrieval.h"
#include "memory/store/store.h"
#include "protocols/cli/commands/model_files.h"
#include "protocols/zmq/zmq_channel.h"
#include "scheduler/blob/blob_store.h"
#include "scheduler/bus/event_loop.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/lane/lane.h"
#include "scheduler/workflow/journal.h"

namespace consort {
namespace {

constexpr std::chrono::milliseconds kNodePatience{60000};  // a node may still be loading its program

std::size_t anonymous_now() {
  return process_memory().anonymous;
}

}  // namespace

// Members stand in the order of their dependence: the last is destroyed first.
struct Engine::Impl {
  const CliContext& context;
  EngineSetup setup;
  Catalogue catalogue;
  std::size_t heap_at_start = anonymous_now();
  std::unique_ptr<ZmqChannel> channel;
  std::unique_ptr<DevicePool> pool;
  std::unique_ptr<Lane> lane;
  std::unique_ptr<Store> store;
  std::unique_ptr<BlobStore> blobs;
  std::unique_ptr<Retrieval> retrieval;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<LocalModelDirectory> local;
  std::unique_ptr<RemoteModelDirectory> remote;
  std::shared_ptr<const CallKinds> kinds;
  boost::asio::io_context io{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work;
  std::thread thread;
  std::optional<std::uint64_t> seed;

  Impl(const CliContext& c, EngineSetup s, Catalogue k)
      : context(c), setup(std::move(s)), catalogue(std::move(k)) {}
  ~Impl();
  Status start_memory();
  Status start_store();
  Status start_blobs();
  Status start_models();
};

Engine::Impl::~Impl() {
  work.reset();
  io.stop();
  if (thread.joinable()) thread.join();
}

Status Engine::Impl::start_memory() {
  const Options& o = context.options;
  CONSORT_TRY(made, DevicePool::create_cpu(o.memory_limit));
  pool = std::move(made);
  CONSORT_TRY(bus, ZmqChannel::create());
  channel = std::move(bus);
  LaneOptions lane_options;
  lane_options.threads = o.threads;
  if (!o.isa.empty()) lane_options.isa = *isa_from_name(o.isa);
  CONSORT_TRY(started, Lane::start(*pool, lane_options));
  lane = std::move(started);
  return {};
}

Status Engine::Impl::start_blobs() {
  CONSORT_TRY(opened, BlobStore::open(store.get()));
  blobs = std::move(opened);
  return {};
}

Status Engine::Impl::start_store() {
  if (!setup.store) return {};
  const std::string& data_dir = setup.data_dir.empty() ? context.options.data_dir : setup.data_dir;
  const std::string directory = data_dir + "/store";
  std::error_code ec;
  std::filesystem::create_directories(data_dir, ec);
  if (ec)
    return fail(ErrorKind::kIo, "the data directory cannot be made: " + ec.message(), data_dir,
                "choose another with --data-dir");
  StoreOptions store_options;
  store_options.salvage_log = setup.salvage_log;
  CONSORT_TRY(opened, Store::open(directory, store_options));
  store = std::move(opened);
  const Isa isa = isa_from_name(context.options.isa).value_or(best_isa());
  RetrievalOptions retrieval_options;
  retrieval_options.dot = dot_function(isa);
  retrieval_options.code_dots = code_dots_function(isa);
  retrieval_options.max_sim = max_sim_function(isa);
  CONSORT_TRY(memory, Retrieval::open(*store, retrieval_options));
  retrieval = std::move(memory);
  CONSORT_TRY(runs, Journal::open(*store));
  journal = std::move(runs);
  return {};
}

Status Engine::Impl::start_models() {
  const Options& o = context.options;
  if (!setup.listen.empty()) {  // the models live in a node that joins this bus
    CONSORT_CHECK_OK(channel->listen(setup.listen));
    if (auto there = channel->wait_for(kDirectoryAddress, kNodePatience); !there) {
      there.error().hint = "start one with: consort node --join " + setup.listen;
      return there;
    }
    CONSORT_TRY(directory, RemoteModelDirectory::create(*channel));
    remote = std::move(directory);
    return {};
  }
  HostOptions host;
  host.engine.max_queue = o.queue_requests;
  host.network.max_queue = o.queue_requests;
  host.engine.kv_max_bytes = o.kv_budget;
  auto resolve = [this](const std::string& id) -> Result<ModelPlace> {
    CONSORT_TRY(path, catalogue.resolve(id));
    ModelPlace place{path, "", ""};
    if (context.options.precision == "int16") place.precision = Precision::kInt16;
    place.activations = *activation_of(context.options.activations);
    if (const CatalogueEntry* e = catalogue.find(id)) {
      place.query_prefix = e->query_prefix;
      place.document_prefix = e->document_prefix;
    }
    return place;
  };
  auto packed = packed_cache(context);
  CONSORT_TRY(directory, LocalModelDirectory::create(
                             *channel, *lane, make_model_loader(std::move(resolve), std::move(packed)), host));
  local = std::move(directory);
  if (!setup.join.empty()) CONSORT_CHECK_OK(channel->join(setup.join));
  return {};
}

Result<std::unique_ptr<Engine>> Engine::start(const CliContext& context, EngineSetup setup) {
  if (context.options.project_dir.empty())
    return fail(ErrorKind::kNotFound, "the shipped configs/ folder is not to be found", "configs/models.json",
                "run the program from its source tree or install prefix");
  CONSORT_TRY(catalogue, Catalogue::load(context.options.project_dir + "/configs/models.json",
                                         context.options.models_dir, context.options.project_dir));
  if (setup.listen.empty()) setup.listen = context.options.bus;
  auto impl = std::make_unique<Impl>(context, std::move(setup), std::move(catalogue));
  CONSORT_CHECK_OK(impl->start_store());
  CONSORT_CHECK_OK(impl->start_blobs());
  CONSORT_CHECK_OK(impl->start_memory());
  CONSORT_CHECK_OK(impl->start_models());
  ModelDirectory* models = impl->local ? static_cast<ModelDirectory*>(impl->local.get()) : impl->remote.get();
  impl->kinds = make_call_kinds(
      {models, impl->channel.get(), impl->store.get(), impl->retrieval.get(), impl->blobs.get()});
  impl->work.emplace(impl->io.get_executor());
  impl->thread = std::thread([io = &impl->io] { run_attentively(*io); });
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

const Catalogue& Engine::catalogue() const {
  return impl_->catalogue;
}
DevicePool& Engine::pool() {
  return *impl_->pool;
}
Channel& Engine::channel() {
  return *impl_->channel;
}
Lane& Engine::lane() {
  return *impl_->lane;
}
ModelDirectory& Engine::models() {
  if (impl_->local) return *impl_->local;
  return *impl_->remote;
}
Store& Engine::store() {
  return *impl_->store;
}
Retrieval& Engine::retrieval() {
  return *impl_->retrieval;
}
Journal& Engine::journal() {
  return *impl_->journal;
}
std::shared_ptr<const CallKinds> Engine::call_kinds() {
  return impl_->kinds;
}
boost::asio::io_context& Engine::io() {
  return impl_->io;
}

BlobStore& Engine::blobs() {
  return *impl_->blobs;
}

Result<ModelHandle> Engine::acquire(std::string id) {
  return wait(models().acquire(std::move(id), request()));
}

RequestContext Engine::request() const {
  RequestContext r;
  r.stop = impl_->context.stop.get_token();
  return r;
}

std::uint64_t Engine::seed() {
  if (!impl_->seed) {
    std::random_device device;
    // 53 bits, so that the printed seed reads back from any JSON.
    const std::uint64_t drawn = (std::uint64_t{device()} << 32 | device()) >> 11;
    impl_->seed = impl_->context.options.seed.value_or(drawn);
  }
  return *impl_->seed;
}

Value Engine::stats() {
  const PoolStats pool = impl_->pool->stats();
  const ProcessMemory process = process_memory();
  const std::size_t mapped = impl_->pool->resident_file_bytes();
  Value::Array owners;
  std::size_t sum = 0;
  const auto add = [&](const std::string& purpose, const std::string& name, std::size_t bytes) {
    owners.push_back(Value::object({{"purpose", purpose}, {"name", name}, {"bytes", bytes}}));
    sum += bytes;
  };
  for (const OwnerStats& o : pool.owners) add(o.owner.purpose, o.owner.name, o.committed_bytes);
  add("blobs", "workflows", impl_->blobs->stats().bytes);
  if (impl_->store) add("store", impl_->store->directory(), impl_->store->stats().memory_bytes);
  const LaneStats lane = impl_->lane->stats();
  const ChannelStats bus = impl_->channel->stats();
  return Value::object({{"memory", Value::object({{"owners", Value::array(std::move(owners))},
                                                  {"owners_sum", sum},
                                                  {"pool_committed", pool.committed_bytes},
                                                  {"pool_free", pool.free_granules * kGranuleBytes},
                                                  {"pool_limit", pool.limit_bytes},
                                                  {"pool_peak", pool.peak_bytes},
                                                  {"resident_pool", process.shared + mapped},
                                                  {"resident_heap", process.anonymous},
                                                  {"heap_before_engine", impl_->heap_at_start},
                                                  {"resident_files", process.files - std::min(process.files, mapped)}})},
                        {"lane", Value::object({{"tasks", lane.tasks},
                                                {"steps", lane.steps},
                                                {"busy_ms", lane.busy_ms},
                                                {"longest_step_ms", lane.longest_step_ms},
                                                {"scratch_high_water", lane.scratch_high_water}})},
                        {"bus", Value::object({{"channel", impl_->channel->describe()},
                                               {"sent", bus.sent},
                                               {"delivered", bus.delivered},
                                               {"dropped_late", bus.dropped_late},
                                               {"nacked", bus.nacked},
                                               {"malformed", bus.malformed}})},
                        {"models", impl_->local ? impl_->local->stats() : Value::object()}});
}

}  // namespace consort
