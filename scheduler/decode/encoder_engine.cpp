#include "scheduler/decode/encoder_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <tuple>
#include <utility>

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

struct Task {
  EmbedJob job;
  JobTicket ticket;
  std::shared_ptr<std::vector<float>> rows;
  std::size_t next = 0;  // text to embed next
  Usage usage;
  Clock::time_point submitted = Clock::now(), started{};
  bool over = false;
};

auto urgency(const Task& t) {
  return std::tuple(t.ticket.work_class, t.ticket.deadline);
}

}  // namespace

struct EncoderEngine::Impl {
  Impl(std::unique_ptr<Encoder> e, EncoderOptions o) : encoder(std::move(e)), options(o) {}

  void take_arrivals();
  void end(Task& task, Error error);
  void check_stops();
  Status embed(Exec& exec);
  void finish(Task& task);
  void sweep();
  void close_step();

  const std::unique_ptr<Encoder> encoder;
  const EncoderOptions options;
  std::function<void()> wake;

  mutable std::mutex mutex;
  std::vector<std::unique_ptr<Task>> arrivals;
  bool closed = false;
  EngineStats shown;
  std::atomic<int> open_jobs{0};

  std::deque<std::unique_ptr<Task>> tasks;  // by class, deadline, arrival
  EngineStats counts;
  std::vector<std::pair<Task*, std::size_t>> batch;  // (task, text)
  std::vector<std::span<const std::int32_t>> texts;
  std::vector<float> out;
  std::vector<std::function<void()>> outcomes;  // calls of `done`, made when the counters are published
};

void EncoderEngine::Impl::take_arrivals() {
  std::vector<std::unique_ptr<Task>> fresh;
  {
    std::lock_guard lock(mutex);
    fresh.swap(arrivals);
  }
  for (auto& task : fresh) {
    const auto place = std::upper_bound(tasks.begin(), tasks.end(), task, [](const auto& a, const auto& b) {
      return urgency(*a) < urgency(*b);
    });
    tasks.insert(place, std::move(task));
  }
}

void EncoderEngine::Impl::end(Task& task, Error error) {
  if (task.over) return;
  task.over = true;
  ++counts.failed;
  outcomes.push_back(
      [done = std::move(task.job.done), error = std::move(error)] { done(tl::unexpected<Error>(error)); });
}

void EncoderEngine::Impl::check_stops() {
  const auto now = Clock::now();
  for (auto& task : tasks) {
    if (task->ticket.stop.stop_requested()) {
      ++counts.cancelled;
      end(*task, {ErrorKind::kCancelled, "the request was cancelled"});
    } else if (now > task->ticket.deadline) {
      ++counts.timed_out;
      end(*task, {ErrorKind::kTimeout, "the deadline passed before the texts were embedded"});
    }
  }
  sweep();
}

void EncoderEngine::Impl::sweep() {
  open_jobs -= static_cast<int>(std::erase_if(tasks, [this](const auto& task) {
    if (task->over) ++counts.finished;
    return task->over;
  }));
}

// Texts of all tasks in order, until the step's tokens are used up.
Status EncoderEngine::Impl::embed(Exec& exec) {
  batch.clear();
  texts.clear();
  int tokens = 0;
  for (auto& task : tasks) {
    for (std::size_t i = task->next; i < task->job.texts.size(); ++i) {
      const auto& text = task->job.texts[i];
      if (!batch.empty() && tokens + static_cast<int>(text.size()) > options.tokens_per_step) break;
      tokens += static_cast<int>(text.size());
      batch.emplace_back(task.get(), i);
      texts.emplace_back(text);
    }
    if (tokens >= options.tokens_per_step) break;
  }
  const auto now = Clock::now();
  for (auto& [task, i] : batch)
    if (task->started == Clock::time_point{}) task->started = now;
  const auto width = static_cast<std::size_t>(encoder->info().dimension);
  try {
    out.resize(batch.size() * width);
    CONSORT_CHECK_OK(
        encoder->embed(exec, texts,
                       make_view(out.data(), DType::kF32,
                                 {static_cast<std::int64_t>(batch.size()), encoder->info().dimension})));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory is left for the encoder's activations", encoder->info().id);
  } catch (const std::exception& e) {
    return fail(ErrorKind::kRuntime, fmt::format("the encoder's step failed: {}", e.what()),
                encoder->info().id);
  }
  counts.prefilled_tokens += static_cast<std::uint64_t>(tokens);
  counts.largest_prefill = std::max(counts.largest_prefill, static_cast<std::size_t>(tokens));
  counts.largest_batch = std::max(counts.largest_batch, batch.size());
  counts.slices += batch.size();
  for (std::size_t b = 0; b < batch.size(); ++b) {
    auto& [task, i] = batch[b];
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(b * width), width,
                task->rows->begin() + static_cast<std::ptrdiff_t>(i * width));
    task->next = i + 1;
    const auto n = static_cast<double>(task->job.texts[i].size());
    task->usage.prompt_tokens += static_cast<int>(n);
    task->usage.flop += n * encoder->info().flop_per_token;
    task->usage.bytes +=
        static_cast<double>(encoder->info().weight_bytes) / static_cast<double>(batch.size());
  }
  return {};
}

void EncoderEngine::Impl::finish(Task& task) {
  task.over = true;
  task.usage.queue_ms = milliseconds(task.started - task.submitted);
  task.usage.prefill_ms = milliseconds(Clock::now() - task.started);
  EmbedResult result;
  const auto count = static_cast<std::int64_t>(task.job.texts.size());
  result.embeddings = {
      "embeddings", make_view(task.rows->data(), DType::kF32, {count, encoder->info().dimension}), task.rows};
  for (const auto& text : task.job.texts) result.tokens.push_back(static_cast<int>(text.size()));
  result.truncated = task.job.truncated;
  result.truncated.resize(task.job.texts.size());
  result.model_digest = encoder->info().weights_digest;
  result.usage = task.usage;
  outcomes.push_back([done = std::move(task.job.done), result = std::move(result)] { done(result); });
}

Result<std::shared_ptr<EncoderEngine>> EncoderEngine::create(std::unique_ptr<Encoder> encoder,
                                                             EncoderOptions options) {
  if (options.max_queue < 1 || options.max_texts < 1 || options.tokens_per_step < 1 ||
      encoder->info().dimension < 1)
    return fail(ErrorKind::kInvalid, "encoder options are out of range", encoder->info().id);
  return std::shared_ptr<EncoderEngine>(
      new EncoderEngine(std::make_unique<Impl>(std::move(encoder), options)));
}

EncoderEngine::EncoderEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

EncoderEngine::~EncoderEngine() {
  impl_->take_arrivals();
  for (auto& task : impl_->tasks) impl_->end(*task, {ErrorKind::kCancelled, "the model was unloaded"});
  for (const auto& outcome : impl_->outcomes) outcome();
}

Status EncoderEngine::submit(EmbedJob job, JobTicket ticket) {
  const EncoderInfo& model = info();
  const auto most = static_cast<std::size_t>(impl_->options.max_texts);
  if (job.texts.empty() || job.texts.size() > most)
    return fail(ErrorKind::kInvalid,
                fmt::format("{} texts to embed, 1 to {} are allowed", job.texts.size(), most), model.id);
  for (std::size_t i = 0; i < job.texts.size(); ++i)
    if (job.texts[i].empty() || job.texts[i].size() > static_cast<std::size_t>(model.max_tokens))
      return fail(ErrorKind::kInvalid,
                  fmt::format("text {} has {} tokens, the encoder takes 1 to {}", i, job.texts[i].size(),
                              model.max_tokens),
                  model.id);
  auto task = std::make_unique<Task>();
  task->rows =
      std::make_shared<std::vector<float>>(job.texts.size() * static_cast<std::size_t>(model.dimension));
  task->job = std::move(job);
  task->ticket = std::move(ticket);
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->closed || impl_->open_jobs.load() >= impl_->options.max_queue) {
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

void EncoderEngine::close() {
  std::lock_guard lock(impl_->mutex);
  impl_->closed = true;
}
bool EncoderEngine::idle() const {
  return impl_->open_jobs.load() == 0;
}
void EncoderEngine::set_waker(std::function<void()> wake) {
  impl_->wake = std::move(wake);
}
const EncoderInfo& EncoderEngine::info() const {
  return impl_->encoder->info();
}

EngineStats EncoderEngine::stats() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->shown;
}

StepWorker::Need EncoderEngine::need() {
  impl_->take_arrivals();
  Need need;
  for (const auto& task : impl_->tasks) {
    need.work = true;
    need.work_class = std::min(need.work_class, task->ticket.work_class);
    need.deadline = std::min(need.deadline, task->ticket.deadline);
  }
  return need;
}

void EncoderEngine::step(Exec& exec) {
  const auto start = Clock::now();
  impl_->take_arrivals();
  impl_->check_stops();
  if (!impl_->tasks.empty()) {
    if (Status done = impl_->embed(exec); !done) {
      ++impl_->counts.step_failures;
      impl_->end(*impl_->batch.back().first, done.error());  // the last one in; the others try again
    } else {
      ++impl_->counts.steps;
      for (auto& task : impl_->tasks)
        if (!task->over && task->next == task->job.texts.size()) impl_->finish(*task);
    }
    impl_->counts.forward_ms += milliseconds(Clock::now() - start);
    impl_->sweep();
  }
  impl_->counts.step_ms += milliseconds(Clock::now() - start);
  impl_->close_step();
}

void EncoderEngine::Impl::close_step() {
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
