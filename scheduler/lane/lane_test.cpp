#include "scheduler/lane/lane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <semaphore>
#include <string>
#include <vector>

#include "kernels/exec/breath.h"

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

// Takes a while for each step and notes how long the lane wants it to be.
class Sleeper final : public StepWorker {
 public:
  Sleeper(WorkClass c, std::chrono::microseconds t, int steps) : work_class(c), takes(t), left(steps) {}
  Need need() override { return {left > 0, work_class, Clock::time_point::max()}; }
  void set_turn(TurnLength length) override { turns.push_back(length); }
  void step(Exec&) override {
    const auto end = Clock::now() + takes;
    while (Clock::now() < end) {
    }
    --left;
  }
  bool relieve(std::size_t) override { return false; }
  const WorkClass work_class;
  const std::chrono::microseconds takes;
  std::atomic<int> left;
  std::vector<TurnLength> turns;  // read when detached
};

// Runs all to their end.
void drive(Lane& lane, const std::vector<std::shared_ptr<Sleeper>>& workers) {
  ASSERT_TRUE(*lane.call([&](Exec&) {
    for (const auto& w : workers) lane.attach(w);
    return true;
  }));
  for (const auto& w : workers)
    while (w->left > 0) std::this_thread::yield();
  for (const auto& w : workers) lane.detach(w);
}

TEST(Lane, BulkWorkTakesNoLongerTurnThanAStepOfTheConversationBesideIt) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1});
  auto chat = std::make_shared<Sleeper>(WorkClass::kInteractive, std::chrono::microseconds(4000), 40);
  auto bulk = std::make_shared<Sleeper>(WorkClass::kBatch, std::chrono::microseconds(100), 20);
  drive(*lane, {chat, bulk});
  for (const TurnLength turn : chat->turns) EXPECT_EQ(turn, kNoHurry);  // bulk work may wait
  ASSERT_EQ(bulk->turns.size(), 20u);
  // While the conversation went on it had about a step of it, by the shortest ones lately; then all the time.
  EXPECT_EQ(bulk->turns.back(), kNoHurry);
  for (int i = 2; i < 10; ++i) {
    EXPECT_GE(bulk->turns[static_cast<std::size_t>(i)], TurnLength(4)) << i;
    EXPECT_LE(bulk->turns[static_cast<std::size_t>(i)], kYield) << i;
  }
  EXPECT_LT(*std::min_element(bulk->turns.begin(), bulk->turns.end()), TurnLength(9));
}

// A long step that can stand still between its pieces.
class Breather final : public StepWorker {
 public:
  Breather(WorkClass c, std::string& l) : work_class(c), log(l) {}
  Need need() override { return {left > 0, work_class, Clock::time_point::max()}; }
  void step(Exec& exec) override {
    const ScratchArena::Mark mark(exec.scratch);
    const std::span<char> held = exec.scratch.take_array<char>(100);
    held[0] = 'x';
    log += '(';
    for (int piece = 0; piece < 8; ++piece) {
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      breathe();
    }
    log += held[0];
    log += ')';
    --left;
  }
  bool relieve(std::size_t) override { return false; }
  const WorkClass work_class;
  std::string& log;
  std::atomic<int> left{1};
};

class Chat final : public StepWorker {
 public:
  Chat(int steps, std::string& l) : log(l), left(steps) {}
  Need need() override { return {left > 0, WorkClass::kInteractive, Clock::time_point::max()}; }
  void step(Exec& exec) override {
    const ScratchArena::Mark mark(exec.scratch);
    exec.scratch.take_array<char>(100)[0] = 'y';
    breathe();  // from inside it nobody goes first
    log += 'c';
    --left;
  }
  bool relieve(std::size_t) override { return false; }
  std::string& log;
  std::atomic<int> left;
};

std::string beside_a_chat(WorkClass work_class, int chat_steps) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1});
  std::string log;
  auto chat = std::make_shared<Chat>(chat_steps, log);
  auto pass = std::make_shared<Breather>(work_class, log);
  EXPECT_TRUE(*lane->call([&](Exec&) {
    lane->attach(pass);
    lane->attach(chat);
    return true;
  }));
  while (chat->left + pass->left > 0) std::this_thread::yield();
  lane->detach(chat);
  lane->detach(pass);
  EXPECT_EQ(lane->stats().steps, static_cast<std::uint64_t>(chat_steps) + 1);
  EXPECT_LT(lane->stats().longest_step_ms, 200);
  return log;
}

TEST(Lane, AConversationGoesOnInTheMiddleOfALongPassOfBulkWork) {
  const std::string log = beside_a_chat(WorkClass::kBatch, 40);
  const auto begin = log.find('('), end = log.find("x)");
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);  // its scratch memory is as it was
  EXPECT_LE(begin, 3u);
  EXPECT_GE(end - begin, 1u + 2 * 6) << log;  // two steps at nearly every breath
}

TEST(Lane, APassOfTheSameClassStandsStillForNobody) {
  EXPECT_NE(beside_a_chat(WorkClass::kInteractive, 10).find("(x)"), std::string::npos);
}

TEST(Lane, EqualsLeaveEachOtherTheLaneAndShortStepsStillLeaveSomeTime) {
  auto pool = make_pool();
  auto lane = *Lane::start(*pool, {.threads = 1});
  auto one = std::make_shared<Sleeper>(WorkClass::kInteractive, std::chrono::microseconds(100), 12);
  auto two = std::make_shared<Sleeper>(WorkClass::kInteractive, std::chrono::microseconds(100), 12);
  auto bulk = std::make_shared<Sleeper>(WorkClass::kBatch, std::chrono::microseconds(100), 6);
  drive(*lane, {one, two, bulk});
  EXPECT_EQ(one->turns.front(), kYield);
  EXPECT_EQ(two->turns.front(), kYield);
  EXPECT_EQ(*std::min_element(bulk->turns.begin(), bulk->turns.end()), TurnLength(2));
}

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
  EXPECT_EQ(order.size(), 36u);
  // A fair turn comes, but interactive work goes first: two of three steps are theirs, in turns.
  const auto first_bulk = order.find('b');
  EXPECT_LT(first_bulk, 3u);
  EXPECT_EQ(order.find('b', first_bulk + 1), first_bulk + 3);
  EXPECT_NE(order[first_bulk + 1], order[first_bulk + 2]) << order;
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
