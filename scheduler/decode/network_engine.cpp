#include "scheduler/decode/network_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <numeric>
#include <tuple>
#include <utility>

#include "kernels/exec/breath.h"

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

// The arithmetic of a step is guessed until steps were measured: a slow core's float32 rate.
constexpr double kFirstFlopPerMs = 2e7, kLeastFlopPerMs = 1e5, kMostFlopPerMs = 1e11;
constexpr double kShortStepMs = 0.5;  // shorter ones say little about the rate
constexpr double kRateMemory = 0.7;   // weight of the earlier steps in the mean

double milliseconds(Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

struct Task {
  NetworkJob job;
  JobTicket ticket;
  std::vector<std::size_t> order;        // samples by length, longest first
  std::vector<std::size_t> first_row;    // of each sample in answer.embeddings
  std::size_t next = 0;                  // place in `order`
  NetworkAnswer answer;
  Clock::time_point submitted = Clock::now(), started{};
  bool over = false;
};
using TaskPtr = std::unique_ptr<Task>;

auto urgency(const Task& t) {
  return std::tuple(t.ticket.work_class, t.ticket.deadline);
}
bool before(const TaskPtr& a, const TaskPtr& b) {
  return urgency(*a) < urgency(*b);
}

std::size_t rows_of(const Sample& sample, const NetworkWants& wants) {
  if (!wants.embeddings) return 0;
  return wants.level == EmbeddingLevel::kItem ? 1 : static_cast<std::size_t>(std::max(sample.tokens, 0));
}

}  // namespace

struct NetworkEngine::Impl {
  Impl(std::unique_ptr<Network> n, NetworkOptions o) : network(std::move(n)), options(o) {}

  void take_arrivals();
  void insert(TaskPtr task);
  void end(Task& task, Error error);
  void check_stops();
  void gather();
  void take_from(Task& task, double& flop);
  Status run_batch(Exec& exec);
  Status forward(Exec& exec, NetworkOutput& output);
  void scatter();
  void finish(Task& task);
  void take_turns();
  void sweep();
  void close_step();
  double flop_of(const Sample& sample) const {
    return sample.flop > 0 ? sample.flop : sample.tokens * network->info().flop_per_token;
  }

  const std::unique_ptr<Network> network;
  const NetworkOptions options;
  std::function<void()> wake;

  mutable std::mutex mutex;
  std::vector<TaskPtr> arrivals;
  bool closed = false;
  EngineStats shown;
  std::atomic<int> open_jobs{0};

  std::deque<TaskPtr> tasks;  // by class, deadline, and whose turn it is
  EngineStats counts;
  double flop_per_ms = kFirstFlopPerMs;
  TurnLength turn = kNoHurry;
  bool breathes = false;  // lets others go in the middle of a pass, as seen in the last one
  // The step's batch.
  NetworkWants wants;
  std::vector<std::pair<Task*, std::size_t>> batch;  // (task, sample)
  std::vector<const Sample*> samples;
  std::vector<float> embeddings, logits;
  double batch_flop = 0;
  std::vector<std::function<void()>> outcomes;  // calls of `done`, made when the counters are published
};

void NetworkEngine::Impl::insert(TaskPtr task) {
  tasks.insert(std::upper_bound(tasks.begin(), tasks.end(), task, before), std::move(task));
}

void NetworkEngine::Impl::take_arrivals() {
  std::vector<TaskPtr> fresh;
  {
    std::lock_guard lock(mutex);
    fresh.swap(arrivals);
  }
  for (auto& task : fresh) insert(std::move(task));
}

void NetworkEngine::Impl::end(Task& task, Error error) {
  if (task.over) return;
  task.over = true;
  ++counts.failed;
  outcomes.push_back(
      [done = std::move(task.job.done), error = std::move(error)] { done(tl::unexpected<Error>(error)); });
}

void NetworkEngine::Impl::check_stops() {
  const auto now = Clock::now();
  for (auto& task : tasks) {
    if (task->ticket.stop.stop_requested()) {
      ++counts.cancelled;
      end(*task, {ErrorKind::kCancelled, "the request was cancelled"});
    } else if (now > task->ticket.deadline) {
      ++counts.timed_out;
      end(*task, {ErrorKind::kTimeout, "the deadline passed before the model had answered"});
    }
  }
  sweep();
}

void NetworkEngine::Impl::sweep() {
  open_jobs -= static_cast<int>(std::erase_if(tasks, [this](const auto& task) {
    if (task->over) ++counts.finished;
    return task->over;
  }));
}

void NetworkEngine::Impl::take_from(Task& task, double& flop) {
  const double most = (breathes ? options.step_ms : std::min(options.step_ms, turn.count())) * flop_per_ms;
  while (task.next < task.order.size() &&
         batch.size() < static_cast<std::size_t>(options.samples_per_step)) {
    const std::size_t i = task.order[task.next];
    const double more = flop_of(*task.job.samples[i]);
    if (!batch.empty() && flop + more > most) return;
    flop += more;
    ++task.next;
    batch.emplace_back(&task, i);
  }
}

// Samples of all tasks that want the same, in order, until the step's time is used up; then by length, so
// that networks which pad to the longest waste little.
void NetworkEngine::Impl::gather() {
  batch.clear();
  batch_flop = 0;
  wants = tasks.front()->job.wants;
  for (auto& task : tasks) {
    if (task->job.wants != wants) continue;
    const std::size_t had = batch.size();
    take_from(*task, batch_flop);
    if (batch.size() > had && task->started == Clock::time_point{}) task->started = Clock::now();
  }
  std::stable_sort(batch.begin(), batch.end(), [](const auto& a, const auto& b) {
    return a.first->job.samples[a.second]->tokens > b.first->job.samples[b.second]->tokens;
  });
  samples.clear();
  for (const auto& [task, i] : batch) samples.push_back(task->job.samples[i]);
}

Status NetworkEngine::Impl::forward(Exec& exec, NetworkOutput& output) {
  const NetworkInfo& info = network->info();
  std::size_t rows = 0;
  for (const Sample* sample : samples) rows += rows_of(*sample, wants);
  try {
    output.level = wants.level;
    if (wants.embeddings) {
      embeddings.assign(rows * static_cast<std::size_t>(info.dimension), 0.0F);
      output.embeddings = make_view(embeddings.data(), DType::kF32,
                                    {static_cast<std::int64_t>(rows), info.dimension});
    }
    if (wants.logits) {
      logits.assign(samples.size() * static_cast<std::size_t>(info.classes), 0.0F);
      output.logits = make_view(logits.data(), DType::kF32, {std::ssize(samples), info.classes});
    }
    return network->forward(exec, samples, output);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory is left for the model's activations", info.id);
  } catch (const std::exception& e) {
    return fail(ErrorKind::kRuntime, fmt::format("the model's step failed: {}", e.what()), info.id);
  }
}

void NetworkEngine::Impl::scatter() {
  const NetworkInfo& info = network->info();
  const auto width = static_cast<std::size_t>(info.dimension), classes = static_cast<std::size_t>(info.classes);
  const float* row = embeddings.data();
  for (std::size_t b = 0; b < batch.size(); ++b) {
    auto& [task, i] = batch[b];
    NetworkAnswer& answer = task->answer;
    if (wants.embeddings) {
      const std::size_t count = rows_of(*samples[b], wants) * width;
      if (count > 0)
        std::memcpy(answer.embeddings.data() + task->first_row[i] * width, row, count * sizeof(float));
      row += count;
    }
    if (wants.logits)
      std::memcpy(answer.logits.data() + i * classes, logits.data() + b * classes, classes * sizeof(float));
    answer.usage.prompt_tokens += samples[b]->tokens;
    answer.usage.flop += flop_of(*samples[b]);
    answer.usage.bytes += static_cast<double>(info.weight_bytes) / static_cast<double>(batch.size());
  }
}

Status NetworkEngine::Impl::run_batch(Exec& exec) {
  const auto start = Clock::now();
  const auto away = Breaths::spent();
  const auto breaths = Breaths::taken();
  NetworkOutput output;
  CONSORT_CHECK_OK(forward(exec, output));
  const double took = milliseconds(Clock::now() - start - (Breaths::spent() - away));
  breathes = Breaths::taken() > breaths;
  if (took > kShortStepMs && batch_flop > 0)
    flop_per_ms = std::clamp(kRateMemory * flop_per_ms + (1 - kRateMemory) * batch_flop / took,
                             kLeastFlopPerMs, kMostFlopPerMs);
  std::size_t tokens = 0;
  for (const Sample* sample : samples) tokens += static_cast<std::size_t>(std::max(sample->tokens, 0));
  counts.prefilled_tokens += tokens;
  counts.largest_prefill = std::max(counts.largest_prefill, tokens);
  counts.largest_batch = std::max(counts.largest_batch, batch.size());
  counts.slices += batch.size();
  scatter();
  return {};
}

void NetworkEngine::Impl::finish(Task& task) {
  task.over = true;
  task.answer.usage.queue_ms = milliseconds(task.started - task.submitted);
  task.answer.usage.prefill_ms = milliseconds(Clock::now() - task.started);
  outcomes.push_back([done = std::move(task.job.done),
                      answer = std::make_shared<NetworkAnswer>(std::move(task.answer))] {
    done(std::move(*answer));
  });
}

// Who was served goes behind the others of the same urgency, so that a bulk job lets small ones pass.
void NetworkEngine::Impl::take_turns() {
  std::vector<TaskPtr> served;
  for (auto& task : tasks)
    if (std::any_of(batch.begin(), batch.end(), [&](const auto& b) { return b.first == task.get(); }))
      served.push_back(std::move(task));
  std::erase(tasks, nullptr);
  for (auto& task : served) insert(std::move(task));
}

Result<std::shared_ptr<NetworkEngine>> NetworkEngine::create(std::unique_ptr<Network> network,
                                                             NetworkOptions options) {
  const NetworkInfo& info = network->info();
  if (options.max_queue < 1 || options.samples_per_step < 1 || !(options.step_ms > 0))
    return fail(ErrorKind::kInvalid, "network options are out of range", info.id);
  if (info.dimension < 0 || info.classes < 0 || info.dimension + info.classes == 0 ||
      (!info.labels.empty() && info.labels.size() != static_cast<std::size_t>(info.classes)))
    return fail(ErrorKind::kInvalid, "the network neither embeds nor classifies, or its labels do not fit",
                info.id);
  return std::shared_ptr<NetworkEngine>(
      new NetworkEngine(std::make_unique<Impl>(std::move(network), options)));
}

NetworkEngine::NetworkEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

NetworkEngine::~NetworkEngine() {
  end_all();
}

void NetworkEngine::end_all() {
  impl_->take_arrivals();
  for (auto& task : impl_->tasks) impl_->end(*task, {ErrorKind::kCancelled, "the model was unloaded"});
  impl_->sweep();
  impl_->close_step();
}

Status NetworkEngine::submit(NetworkJob job, JobTicket ticket) {
  const NetworkInfo& model = info();
  const NetworkWants& wants = job.wants;
  if (job.samples.empty()) return fail(ErrorKind::kInvalid, "there is nothing to do", model.id);
  if (!wants.embeddings && !wants.logits)
    return fail(ErrorKind::kInvalid, "neither embeddings nor logits are wanted", model.id);
  if ((wants.embeddings && model.dimension == 0) || (wants.logits && model.classes == 0) ||
      (wants.embeddings && wants.level != model.level && wants.level == EmbeddingLevel::kPart && !model.parts))
    return fail(ErrorKind::kInvalid, "the model does not give what is wanted", model.id);
  auto task = std::make_unique<Task>();
  task->order.resize(job.samples.size());
  std::iota(task->order.begin(), task->order.end(), std::size_t{0});
  std::stable_sort(task->order.begin(), task->order.end(), [&](std::size_t a, std::size_t b) {
    return job.samples[a]->tokens > job.samples[b]->tokens;
  });
  std::size_t rows = 0;
  for (const Sample* sample : job.samples) {
    task->first_row.push_back(rows);
    rows += rows_of(*sample, wants);
  }
  task->answer.embeddings.resize(rows * static_cast<std::size_t>(model.dimension));
  if (wants.logits) task->answer.logits.resize(job.samples.size() * static_cast<std::size_t>(model.classes));
  const bool continues = job.continues;
  task->job = std::move(job);
  task->ticket = std::move(ticket);
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->closed || (!continues && impl_->open_jobs.load() >= impl_->options.max_queue)) {
      ++impl_->shown.refused;
      return fail(ErrorKind::kUnavailable,
                  impl_->closed
                      ? std::string("the model is being unloaded")
                      : fmt::format("the model's queue is full ({} requests)", impl_->options.max_queue),
                  model.id, "try again later");
    }
    ++impl_->shown.accepted;
    impl_->shown.queue_peak = std::max(impl_->shown.queue_peak, static_cast<std::size_t>(++impl_->open_jobs));
    impl_->arrivals.push_back(std::move(task));
  }
  if (impl_->wake) impl_->wake();
  return {};
}

void NetworkEngine::close() {
  std::lock_guard lock(impl_->mutex);
  impl_->closed = true;
}
bool NetworkEngine::idle() const {
  return impl_->open_jobs.load() == 0;
}
void NetworkEngine::set_turn(TurnLength length) {
  impl_->turn = length;
}
void NetworkEngine::set_waker(std::function<void()> wake) {
  impl_->wake = std::move(wake);
}
const NetworkInfo& NetworkEngine::info() const {
  return impl_->network->info();
}
const Network& NetworkEngine::network() const {
  return *impl_->network;
}

EngineStats NetworkEngine::stats() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->shown;
}

StepWorker::Need NetworkEngine::need() {
  impl_->take_arrivals();
  Need need;
  for (const auto& task : impl_->tasks) {
    need.work = true;
    need.work_class = std::min(need.work_class, task->ticket.work_class);
    need.deadline = std::min(need.deadline, task->ticket.deadline);
  }
  return need;
}

void NetworkEngine::step(Exec& exec) {
  const auto start = Clock::now();
  const auto away = Breaths::spent();
  const auto worked = [&] { return milliseconds(Clock::now() - start - (Breaths::spent() - away)); };
  impl_->take_arrivals();
  impl_->check_stops();
  if (!impl_->tasks.empty()) {
    impl_->gather();
    if (Status done = impl_->run_batch(exec); !done) {
      ++impl_->counts.step_failures;
      // One request is given up: the least urgent in the step. The others have their samples again.
      const auto last = std::find_if(impl_->tasks.rbegin(), impl_->tasks.rend(), [&](const auto& task) {
        return std::any_of(impl_->batch.begin(), impl_->batch.end(),
                           [&](const auto& b) { return b.first == task.get(); });
      });
      for (const auto& [task, i] : impl_->batch) --task->next;
      impl_->end(**last, done.error());
    } else {
      ++impl_->counts.steps;
      for (auto& task : impl_->tasks)
        if (!task->over && task->next == task->order.size()) impl_->finish(*task);
      impl_->take_turns();
    }
    impl_->counts.forward_ms += worked();
    impl_->sweep();
  }
  impl_->counts.step_ms += worked();
  impl_->close_step();
}

void NetworkEngine::Impl::close_step() {
  {
    std::lock_guard lock(mutex);
    EngineStats next = counts;
    next.accepted = shown.accepted;
    next.refused = shown.refused;
    next.queue_peak = shown.queue_peak;
    next.queue_length = tasks.size() + arrivals.size();
    shown = next;
  }
  std::vector<std::function<void()>> told;
  told.swap(outcomes);
  for (const auto& outcome : told) outcome();
}

}  // namespace consort
