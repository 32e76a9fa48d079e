#include "scheduler/lane/lane.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <string>
#include <vector>

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

std::unique_ptr<DevicePool> make_pool(std::size_t granules = 32) {
  return *DevicePool::create_cpu(granules * kGranuleBytes);
}

// Holds the lane until opened.
struct Gate {
  LaneTask task() {
    return {.run = [this](Exec&) {
      entered.release();
      open.acquire();
    }};
  }
  std::binary_semaphore entered{0}, open{0};
};

TEST(Lane, RunsTasksOnItsOwnThreadByClassAndDeadline) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 2});
  EXPECT_EQ(lane->threads(), 2);
  EXPECT_FALSE(lane->on_lane_thread());
  EXPECT_TRUE(*lane->call([&](Exec&) { return lane->on_lane_thread(); }));
  Gate gate;
  ASSERT_TRUE(lane->post(gate.task()));
  gate.entered.acquire();
  std::string order;
  const auto add = [&](char c, WorkClass work_class, int minutes) {
    auto deadline = minutes == 0 ? Clock::time_point::max() : Clock::now() + std::chrono::minutes(minutes);
    ASSERT_TRUE(lane->post({[&order, c](Exec&) { order += c; }, work_class, deadline, {}}));
  };
  add('a', WorkClass::kTraining, 0);
  add('b', WorkClass::kBatch, 0);
  add('c', WorkClass::kInteractive, 0);
  add('d', WorkClass::kInteractive, 9);
  add('e', WorkClass::kInteractive, 0);
  gate.open.release();
  EXPECT_TRUE(lane->call([](Exec&) { return true; }));
  while (lane->stats().inbox_length > 0) std::this_thread::yield();
  EXPECT_TRUE(lane->call([](Exec&) { return true; }));
  EXPECT_EQ(order, "dceba");
}

TEST(Lane, ABoundedInboxRefusesAndLateWorkIsDropped) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1, .inbox = 2});
  Gate gate;
  ASSERT_TRUE(lane->post(gate.task()));
  gate.entered.acquire();
  std::atomic<int> ran{0};
  std::atomic<bool> late{false};
  ASSERT_TRUE(
      lane->post({[&](Exec&) { ++ran; }, WorkClass::kInteractive, Clock::now() - std::chrono::seconds(1),
                  [&](Error e) { late = e.kind == ErrorKind::kTimeout; }}));
  ASSERT_TRUE(lane->post({.run = [&](Exec&) { ++ran; }}));
  const Status full = lane->post({.run = [&](Exec&) { ++ran; }});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kUnavailable);
  gate.open.release();
  while (!late || ran != 1) std::this_thread::yield();
  EXPECT_EQ(lane->stats().refused, 1u);
  EXPECT_EQ(lane->stats().inbox_peak, 2u);
}

class Counter final : public StepWorker {
 public:
  Need need() override { return {left > 0, work_class, Clock::time_point::max()}; }
  void step(Exec& exec) override {
    ScratchArena::Mark mark(exec.scratch);
    exec.scratch.take(1000);
    --left;
    log->push_back(name);
  }
  bool relieve(std::size_t) override { return kept > 0 && (memory.pop_back(), kept--, true); }
  char name = '?';
  WorkClass work_class = WorkClass::kInteractive;
  std::atomic<int> left{0};
  std::vector<char>* log = nullptr;
  std::vector<Region> memory;
  int kept = 0;
};

std::shared_ptr<Counter> counter(char name, WorkClass work_class, int steps, std::vector<char>& log) {
  auto c = std::make_shared<Counter>();
  c->name = name;
  c->work_class = work_class;
  c->left = steps;
  c->log = &log;
  return c;
}

TEST(Lane, DrivesWorkersByClassWithoutStarvingAny) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1});
  std::vector<char> log;
  auto bulk = counter('b', WorkClass::kBatch, 4, log);
  auto chat = counter('c', WorkClass::kInteractive, 16, log);
  auto chat2 = counter('d', WorkClass::kInteractive, 16, log);
  ASSERT_TRUE(*lane->call([&](Exec&) {  // all three are seen at once
    lane->attach(bulk);
    lane->attach(chat);
    lane->attach(chat2);
    return true;
  }));
  while (bulk->left + chat->left + chat2->left > 0) std::this_thread::yield();
  for (const auto& w : {bulk, chat, chat2}) lane->detach(w);
  const std::string order(log.begin(), log.end());
  EXPECT_EQ(order.substr(0, 6), "cdcdcd");
  const auto first_bulk = order.find('b');
  EXPECT_LT(first_bulk, 16u);                       // a fair turn came
  EXPECT_GT(order.find('b', first_bulk + 1), 14u);  // but interactive work goes first
  EXPECT_EQ(order.size(), 36u);
  EXPECT_EQ(lane->stats().steps, 36u);
  EXPECT_GE(lane->stats().scratch_high_water, 1000u);
}

TEST(Lane, MemoryPressureIsAskedOfTheWorkers) {
  auto pool = make_pool(8);
  auto lane = *Lane::start(*pool, {.threads = 1});
  std::vector<char> log;
  auto hoarder = counter('h', WorkClass::kBatch, 0, log);
  const std::size_t held = pool->stats().committed_bytes / kGranuleBytes;
  for (std::size_t i = held; i < 8; ++i) {
    hoarder->memory.push_back(std::move(*pool->allocate(kGranuleBytes, {"kv", "h"})));
    ++hoarder->kept;
  }
  lane->attach(hoarder);
  EXPECT_FALSE(pool->allocate(kGranuleBytes, {"weights", "m"}));  // not on the lane's thread
  EXPECT_TRUE(*lane->call([&](Exec&) {
    return pool->allocate(3 * kGranuleBytes, {"weights", "m"}).has_value();
  }));
  EXPECT_EQ(hoarder->memory.size(), 8 - held - 3);
  lane->detach(hoarder);
}

TEST(Lane, StoppingRefusesWhatWaits) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1});
  Gate gate;
  ASSERT_TRUE(lane->post(gate.task()));
  gate.entered.acquire();
  std::atomic<bool> refused{false};
  ASSERT_TRUE(lane->post({.run = [](Exec&) { FAIL() << "ran after the stop"; },
                          .refused = [&](Error e) { refused = e.kind == ErrorKind::kUnavailable; }}));
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    gate.open.release();
  });
  lane.reset();
  opener.join();
  EXPECT_TRUE(refused);
  EXPECT_FALSE(Lane::start(*pool, {.threads = -1}));
}

TEST(Lane, IdleScratchGoesBackToThePool) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1, .trim_after = std::chrono::milliseconds(20)});
  ASSERT_TRUE(*lane->call([](Exec& e) {
    ScratchArena::Mark mark(e.scratch);
    e.scratch.take(5 * kGranuleBytes);
    return true;
  }));
  for (int i = 0; i < 200 && pool->stats().committed_bytes > kGranuleBytes; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_LE(pool->stats().committed_bytes, kGranuleBytes);
}

}  // namespace
}  // namespace consort
