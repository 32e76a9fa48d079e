#include "kernels/cpu/roof.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "kernels/cpu/roof_parts.h"

namespace consort {
namespace roof_detail {
namespace {

constexpr int kChains = 8;

std::uint64_t read_words(const std::uint8_t* data, std::size_t bytes) {
  std::uint64_t sum[4] = {};
  const auto* words = reinterpret_cast<const std::uint64_t*>(data);
  for (std::size_t i = 0; i < bytes / 8; i += 4)
    for (int j = 0; j < 4; ++j) sum[j] ^= words[i + j];
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}

float multiply_floats(std::size_t rounds) {
  float acc[kChains] = {0, 1, 2, 3, 4, 5, 6, 7};
  for (std::size_t r = 0; r < rounds; ++r)
    for (float& x : acc) x = x * 0.999f + 0.001f;
  float sum = 0;
  for (float x : acc) sum += x;
  return sum;
}

std::int32_t multiply_ints(std::size_t rounds) {
  std::uint32_t acc[kChains] = {0, 1, 2, 3, 4, 5, 6, 7};
  for (std::size_t r = 0; r < rounds; ++r)
    for (std::uint32_t& x : acc) x = x * 3 + 1;
  std::uint32_t sum = 0;
  for (std::uint32_t x : acc) sum += x;
  return static_cast<std::int32_t>(sum);
}

}  // namespace

const Loops& scalar_loops() {
  static constexpr Loops loops{.read = read_words,
                               .multiply_f32 = multiply_floats,
                               .multiply_i8 = multiply_ints,
                               .multiply_i16 = multiply_ints,
                               .multiply_bf16 = nullptr,
                               .flops_per_round = kChains * 2.0,
                               .ops_per_round = kChains * 2.0,
                               .i16_ops_per_round = kChains * 2.0,
                               .bf16_flops_per_round = 0};
  return loops;
}

}  // namespace roof_detail

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<std::uint64_t> sink;  // where the loops' results go

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Runs work(thread) on every thread at once, again and again for `seconds`; the least seconds of one run.
double least_seconds(int threads, double seconds, const std::function<void(int)>& work) {
  std::atomic<int> ready{0};
  std::vector<double> least(threads, 1e9);
  const auto body = [&](int t) {
    work(t);  // touches memory, warms the clock
    ++ready;
    while (ready < threads) std::this_thread::yield();
    const auto start = Clock::now();
    do {
      const auto once = Clock::now();
      work(t);
      least[t] = std::min(least[t], seconds_since(once));
    } while (seconds_since(start) < seconds);
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(body, t);
  body(0);
  for (auto& t : others) t.join();
  return *std::max_element(least.begin(), least.end());
}

std::vector<std::uint8_t> buffer_of(std::size_t bytes) {
  for (;; bytes /= 2) {
    try {
      return std::vector<std::uint8_t>(bytes, 1);
    } catch (const std::bad_alloc&) {
      if (bytes < (1u << 22)) throw;
    }
  }
}

}  // namespace

Roof measure_roof(Isa isa, int threads, double seconds) {
  const roof_detail::Loops& loops = isa == Isa::kAvx512 ? roof_detail::avx512_loops()
                                    : isa == Isa::kAvx2 ? roof_detail::avx2_loops()
                                                        : roof_detail::scalar_loops();
  Roof roof;
  roof.threads = threads = std::max(1, threads);
  const double part = seconds / 7;
  constexpr std::size_t kRounds = 20000, kCacheBytes = 1u << 20, kL3Bytes = 8u << 20;
  std::vector<std::uint8_t> data = buffer_of(std::size_t{256} << 20);
  const std::size_t share = data.size() / threads / 512 * 512;
  const double read =
      least_seconds(threads, part, [&](int t) { sink += loops.read(data.data() + t * share, share); });
  roof.dram_read_gbs = static_cast<double>(share) * threads / read * 1e-9;
  const std::size_t l3_share = std::min(kL3Bytes / threads, share) / 512 * 512;
  const double near =
      least_seconds(threads, part, [&](int t) { sink += loops.read(data.data() + t * share, l3_share); });
  roof.l3_read_gbs = static_cast<double>(l3_share) * threads / near * 1e-9;
  const double cached = least_seconds(threads, part, [&](int t) {
    for (int i = 0; i < 8; ++i) sink += loops.read(data.data() + t * share, kCacheBytes);
  });
  roof.cache_read_gbs = 8.0 * kCacheBytes * threads / cached * 1e-9;
  const double f32 = least_seconds(threads, part, [&](int) { sink += loops.multiply_f32(kRounds) > 0; });
  roof.f32_gflops = loops.flops_per_round * kRounds * threads / f32 * 1e-9;
  const double i8 = least_seconds(threads, part, [&](int) { sink += loops.multiply_i8(kRounds) > 0; });
  roof.int8_gops = loops.ops_per_round * kRounds * threads / i8 * 1e-9;
  const double i16 = least_seconds(threads, part, [&](int) { sink += loops.multiply_i16(kRounds) > 0; });
  roof.int16_gops = loops.i16_ops_per_round * kRounds * threads / i16 * 1e-9;
  if (loops.multiply_bf16 == nullptr) return roof;
  const double bf16 = least_seconds(threads, part, [&](int) { sink += loops.multiply_bf16(kRounds) > 0; });
  roof.bf16_gflops = loops.bf16_flops_per_round * kRounds * threads / bf16 * 1e-9;
  return roof;
}

}  // namespace consort
