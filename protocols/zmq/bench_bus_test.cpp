#include "protocols/zmq/bench_bus.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

// That it measures and adds up; the figures themselves are looked at on a quiet machine.
TEST(BenchBus, TellsRatesAndRoundTrips) {
  BusBenchOptions few;
  few.rounds = 2;
  few.round_trips = 50;
  few.pipelined = 2000;
  const auto told = bench_bus(few);
  ASSERT_TRUE(told) << told.error().line();
  EXPECT_EQ(told->get("name"), Value("bus"));
  EXPECT_GT(told->get("messages_per_s").as_number(), 1000);
  const Value trip = told->get("round_trip");
  EXPECT_GT(trip.get("microseconds").as_number(), 0);
  EXPECT_GE(trip.get("p99").as_number(), trip.get("min").as_number());
}

}  // namespace
}  // namespace consort
