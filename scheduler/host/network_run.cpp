#include "scheduler/host/network_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWindow = 256, kWindowOfPictures = 32;  // a prepared picture has up to a megabyte
constexpr std::size_t kWindowsAhead = 2;                      // one is computed while the next is prepared
constexpr std::chrono::milliseconds kTurn{4};                 // then others may use the thread

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(std::shared_ptr<NetworkEngine> engine, std::shared_ptr<WorkerPool> pool, NetworkWork work,
      JobTicket ticket, std::function<void(Result<NetworkItems>)> done)
      : engine_(std::move(engine)),
        pool_(std::move(pool)),
        work_(std::move(work)),
        ticket_(std::move(ticket)),
        done_(std::move(done)) {
    const std::size_t items = work_.items.size();
    out_.samples.resize(items);
    problems_.resize(items);
    const bool pictures = std::any_of(work_.items.begin(), work_.items.end(),
                                      [](const ModelInput& i) { return i.kind == InputKind::kImage; });
    const std::size_t size = pictures ? kWindowOfPictures : kWindow;
    for (std::size_t first = 0; first < items; first += size)
      windows_.push_back(std::make_unique<Window>(first, std::min(first + size, items)));
  }
  void start() {
    for (std::size_t i = 0; i < kWindowsAhead; ++i) open_window();
  }

 private:
  struct Window {
    Window(std::size_t f, std::size_t e) : first(f), end(e), next(f), left(e - f) {}
    const std::size_t first, end;
    std::atomic<std::size_t> next, left;  // item to prepare; items not prepared yet
    std::vector<std::size_t> passed;      // items given to the engine
    NetworkAnswer answer;
  };

  void post(std::function<void()> work) { pool_->post(std::move(work), ticket_.work_class); }
  void open_window();
  void work_on(Window& window);
  void prepare(std::size_t item);
  void window_prepared(Window& window);
  void window_computed(Window& window, Result<NetworkAnswer> answer);
  void end(Error error);
  void complete();
  void append(const Window& window);
  std::optional<Error> stopped() const;

  const std::shared_ptr<NetworkEngine> engine_;
  const std::shared_ptr<WorkerPool> pool_;
  const NetworkWork work_;
  const JobTicket ticket_;
  std::function<void(Result<NetworkItems>)> done_;
  NetworkItems out_;
  std::vector<std::optional<Error>> problems_;  // of each item
  std::vector<std::unique_ptr<Window>> windows_;
  std::mutex mutex_;
  std::size_t opened_ = 0, computed_ = 0;
  bool over_ = false;
};

std::optional<Error> Run::stopped() const {
  if (ticket_.stop.stop_requested()) return Error{ErrorKind::kCancelled, "the request was cancelled", {}, {}};
  if (Clock::now() > ticket_.deadline)
    return Error{ErrorKind::kTimeout, "the deadline passed before the items were prepared", {}, {}};
  return std::nullopt;
}

void Run::open_window() {
  Window* window = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (over_ || opened_ == windows_.size()) return;
    window = windows_[opened_++].get();
  }
  const std::size_t workers =
      std::min(static_cast<std::size_t>(pool_->threads()), window->end - window->first);
  for (std::size_t i = 0; i < workers; ++i)
    post([self = shared_from_this(), window] { self->work_on(*window); });
}

// Takes items until the turn is over, then goes to the end of the pool's queue.
void Run::work_on(Window& window) {
  const auto until = Clock::now() + kTurn;
  for (;;) {
    const std::size_t item = window.next.fetch_add(1);
    if (item >= window.end) return;
    if (auto stop = stopped()) return end(std::move(*stop));
    prepare(item);
    if (window.left.fetch_sub(1) == 1) return window_prepared(window);
    if (Clock::now() >= until && window.next.load() < window.end)
      return post([self = shared_from_this(), &window] { self->work_on(window); });
  }
}

void Run::prepare(std::size_t i) {
  const ModelInput& item = work_.items[i];
  NetworkInput input;
  input.kind = item.kind.value_or(InputKind::kText);
  input.text = item.text;
  input.passage = item.passage;
  if (item.bytes) input.bytes = item.bytes->view;
  input.name = item.name;
  std::string prefixed;
  if (input.kind == InputKind::kText && !work_.text_prefix.empty()) {
    prefixed = work_.text_prefix + item.text;
    input.text = prefixed;
  }
  try {
    auto sample = engine_->network().prepare(input);
    if (sample)
      out_.samples[i] = std::move(*sample);
    else
      problems_[i] = std::move(sample.error());
  } catch (const std::bad_alloc&) {
    problems_[i] = Error{ErrorKind::kMemory, "no memory is left to prepare the item", item.name, {}};
  } catch (const std::exception& e) {
    problems_[i] = Error{
        ErrorKind::kRuntime, fmt::format("the item could not be prepared: {}", e.what()), item.name, {}};
  }
}

void Run::window_prepared(Window& window) {
  NetworkJob job;
  for (std::size_t i = window.first; i < window.end; ++i) {
    const Sample* sample = out_.samples[i].get();
    if (sample == nullptr || (work_.skip_decided && engine_->network().decided(*sample))) continue;
    window.passed.push_back(i);
    job.samples.push_back(sample);
  }
  if (job.samples.empty()) return window_computed(window, NetworkAnswer{});
  job.owner = shared_from_this();
  job.wants = work_.wants;
  job.continues = window.first > 0;
  // The lane only passes the answer on.
  job.done = [self = shared_from_this(), &window](Result<NetworkAnswer> answer) {
    auto held = std::make_shared<Result<NetworkAnswer>>(std::move(answer));
    self->post([self, &window, held] { self->window_computed(window, std::move(*held)); });
  };
  if (Status submitted = engine_->submit(std::move(job), ticket_); !submitted) end(submitted.error());
}

void Run::window_computed(Window& window, Result<NetworkAnswer> answer) {
  if (!answer) return end(std::move(answer.error()));
  window.answer = std::move(*answer);
  bool last = false;
  {
    std::lock_guard lock(mutex_);
    if (over_) return;
    last = over_ = ++computed_ == windows_.size();
  }
  if (last) return complete();
  open_window();
}

void Run::end(Error error) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
  }
  done_(tl::unexpected<Error>(std::move(error)));
}

void Run::append(const Window& window) {
  const NetworkInfo& info = engine_->info();
  const auto classes = static_cast<std::size_t>(info.classes);
  const bool parts = work_.wants.level == EmbeddingLevel::kPart;
  for (std::size_t n = 0; n < window.passed.size(); ++n) {
    const std::size_t i = window.passed[n];
    if (work_.wants.embeddings) out_.offsets[i + 1] = parts ? out_.samples[i]->tokens : 1;
    if (work_.wants.logits)
      std::memcpy(out_.logits.data() + i * classes, window.answer.logits.data() + n * classes,
                  classes * sizeof(float));
  }
  out_.embeddings.insert(out_.embeddings.end(), window.answer.embeddings.begin(),
                         window.answer.embeddings.end());
  out_.usage += window.answer.usage;
}

void Run::complete() {
  out_.offsets.assign(work_.items.size() + 1, 0);
  if (work_.wants.logits)
    out_.logits.assign(work_.items.size() * static_cast<std::size_t>(engine_->info().classes), 0.0F);
  if (windows_.size() == 1) out_.embeddings.swap(windows_[0]->answer.embeddings);
  for (const auto& window : windows_) append(*window);
  for (std::size_t i = 0; i < work_.items.size(); ++i) {
    out_.offsets[i + 1] += out_.offsets[i];
    if (problems_[i]) out_.errors.push_back({i, std::move(*problems_[i])});
  }
  done_(std::move(out_));
}

}  // namespace

void run_network(std::shared_ptr<NetworkEngine> engine, std::shared_ptr<WorkerPool> pool, NetworkWork work,
                 JobTicket ticket, std::function<void(Result<NetworkItems>)> done) {
  if (work.items.empty()) {
    NetworkItems none;
    none.offsets = {0};
    return done(std::move(none));
  }
  auto run = std::make_shared<Run>(std::move(engine), std::move(pool), std::move(work), std::move(ticket),
                                   std::move(done));
  run->start();
}

}  // namespace consort
