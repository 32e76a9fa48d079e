#include "scheduler/bus/attention.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "scheduler/bus/event_loop.h"

namespace consort {
namespace {

using std::chrono::microseconds;

// `waits` waits in which the message comes `after` so long, a little later when the thread had to be woken.
// Gives how many had a look.
int looks(Attention& attention, int waits, microseconds after, microseconds waking) {
  int count = 0;
  for (int i = 0; i < waits; ++i) {
    const auto begin = Attention::Clock::now();
    bool looked = false;
    const auto come = [&] {
      looked = true;
      return Attention::Clock::now() - begin >= after;
    };
    if (!attention.look(come)) {
      while (Attention::Clock::now() - begin < after + waking) continue;
      attention.woke();
    }
    count += looked ? 1 : 0;
  }
  return count;
}

TEST(Attention, LooksWhereWakingTakesLonger) {
  Attention attention(2);
  EXPECT_GT(looks(attention, 2000, microseconds(10), microseconds(60)), 1200);
}

TEST(Attention, LooksSeldomWhereNothingComesSoon) {
  Attention attention(2);
  EXPECT_LT(looks(attention, 1000, microseconds(500), microseconds(0)), 120);
}

TEST(Attention, LooksSeldomWhereThatDelaysTheMessage) {
  Attention attention(2);
  int count = 0;
  for (int i = 0; i < 2000; ++i) {
    bool looked = false;
    EXPECT_FALSE(attention.look([&] { return looked = true, false; }));  // its sender has no core meanwhile
    attention.woke();
    count += looked ? 1 : 0;
  }
  EXPECT_LT(count, 160);
}

TEST(Attention, NeverLooksOnOneCore) {
  Attention alone(1);
  EXPECT_EQ(looks(alone, 500, microseconds(1), microseconds(10)), 0);
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
