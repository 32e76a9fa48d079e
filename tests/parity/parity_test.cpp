// Each op's cases: the reference decides; every instruction set must stay within the case's bound, 1, 2 and 3
// threads must give the same bits, and where the case says so all instruction sets must as well.
#include <cstring>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "kernels/op_list/op_list.h"

namespace consort::parity {
namespace {

constexpr std::size_t kPoolBytes = std::size_t{2} << 30;

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

void check_case(DevicePool& pool, const OpCase& c) {
  ThreadPool one(1);
  ScratchArena scratch(pool, {"activations", "parity"});
  Exec plain{one, scratch};
  PreparedCase prepared = c.prepare(plain);
  ASSERT_TRUE(prepared.run && prepared.reference && prepared.out && prepared.expected && prepared.bound);
  prepared.reference();
  std::vector<std::uint32_t> first;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (!isa_supported(isa)) continue;
    SCOPED_TRACE(std::string(isa_name(isa)));
    std::vector<std::uint32_t> one_thread;
    for (int threads : {1, 2, 3}) {
      SCOPED_TRACE(std::to_string(threads) + " threads");
      ThreadPool workers(threads);
      Exec exec{workers, scratch, isa};
      std::fill(prepared.out->begin(), prepared.out->end(), std::numeric_limits<float>::quiet_NaN());
      prepared.run(exec);
      ASSERT_EQ(first_difference(prepared), "");
      const auto bits = bits_of(*prepared.out);
      if (one_thread.empty()) one_thread = bits;
      ASSERT_EQ(one_thread, bits) << "the number of threads changes the result";
    }
    if (first.empty()) first = one_thread;
    if (c.same_bits_on_all_isas) {
      ASSERT_EQ(first, one_thread) << "not the bits of the scalar route";
    }
  }
}

class Parity : public ::testing::TestWithParam<Op> {};

TEST_P(Parity, EveryCaseMatchesTheReference) {
  auto pool = DevicePool::create_cpu(kPoolBytes).value();
  std::set<std::string> names;
  std::size_t ran = 0;
  for (const OpCase& c : GetParam().cases) {
    EXPECT_TRUE(names.insert(c.name).second) << "case name stands twice: " << c.name;
    if (!c.parity) continue;
    SCOPED_TRACE(c.name);
    check_case(*pool, c);
    if (HasFatalFailure()) return;
    ++ran;
  }
  EXPECT_GT(ran, 0u) << "an op without parity cases";
}

TEST(ParityOps, EveryOpHasCases) {
  EXPECT_STREQ(CONSORT_OPS_WITHOUT_CASES, "") << "ops without cases.cpp";
}

INSTANTIATE_TEST_SUITE_P(Ops, Parity, ::testing::ValuesIn(all_ops()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace consort::parity
