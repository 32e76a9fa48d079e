#include "scheduler/bus/attention.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "scheduler/bus/event_loop.h"

namespace consort {
namespace {

// Looks made in `waits` waits in which nothing comes.
int looks_in_vain(Attention& attention, int waits) {
  int looks = 0;
  for (int i = 0; i < waits; ++i) {
    bool looked = false;
    EXPECT_FALSE(attention.look([&] { return looked = true, false; }));
    looks += looked ? 1 : 0;
  }
  return looks;
}

TEST(Attention, LooksLessAndLessWhereNothingComes) {
  Attention attention(2);
  EXPECT_LE(looks_in_vain(attention, 5000), 16);  // 1, 2, 4 ... 1024 waits between them, then every 1024th
  attention.slept(std::chrono::microseconds(60));
  EXPECT_EQ(looks_in_vain(attention, 1), 1);  // what came so soon would have been caught
  attention.slept(std::chrono::milliseconds(10));
  EXPECT_EQ(looks_in_vain(attention, 1), 0);
}

TEST(Attention, GoesOnLookingWhereItPays) {
  Attention attention(2);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(attention.look([] { return true; }));
}

TEST(Attention, NeverLooksOnOneCoreNorWhereTheCoreIsTaken) {
  Attention alone(1);
  EXPECT_EQ(looks_in_vain(alone, 100), 0);
  Attention taken(2);
  EXPECT_FALSE(taken.look([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return false;
  }));
  EXPECT_EQ(looks_in_vain(taken, 1000), 0);
}

TEST(RunAttentively, RunsEverythingAndEnds) {
  boost::asio::io_context io(1);
  int ran = 0;
  boost::asio::steady_timer timer(io, std::chrono::milliseconds(5));
  timer.async_wait([&](const boost::system::error_code&) {
    ++ran;
    boost::asio::post(io, [&ran] { ++ran; });
  });
  std::thread other([&] { boost::asio::post(io, [&ran] { ++ran; }); });
  run_attentively(io);
  other.join();
  if (ran < 3) {  // the other thread was late: the context had run dry before
    io.restart();
    run_attentively(io);
  }
  EXPECT_EQ(ran, 3);
}

}  // namespace
}  // namespace consort
