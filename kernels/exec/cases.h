// Cases of an op: what the parity harness (tests/parity) runs. Every op of CONSORT_OPS
// (kernels/CMakeLists.txt) defines `std::vector<OpCase> cases_<op>()` in kernels/<op>/cases.cpp. The harness
// runs each case under scalar, AVX2 and AVX-512 with 1 and 2 threads, compares with the reference, and
// demands the same bits for 1 and 2 threads; in perf mode it times the cases marked so and prints GB/s and
// GFLOP/s beside the machine's peak.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/exec/exec.h"

namespace consort {

// A case with its inputs made. The closures keep the buffers they use (capture shared_ptr by value).
struct PreparedCase {
  std::function<void(Exec&)> run;           // the op itself on exec.isa; overwrites *out
  std::function<void()> reference;          // the obvious loop in double; writes *expected; null in perf mode
  std::shared_ptr<std::vector<float>> out;  // sized; the harness fills it with NaN before every run
  std::shared_ptr<std::vector<float>> expected;  // sized like out
  // |out - expected| <= bound[i] (or bound[0] for all when it has one entry); read after reference() has run.
  std::shared_ptr<std::vector<float>> bound;
  double bytes = 0;  // read and written once by a run, for GB/s
  double flops = 0;  // floating-point (or integer) operations of a run, for GFLOP/s
  // 8-bit multiply-adds (two operations each) that the op's route issues; 0 for float arithmetic.
  double int8_ops = 0;
};

// After run() and reference(): what is wrong with *out, in words; empty when every output is within its
// bound.
std::string first_difference(const PreparedCase& c);

struct OpCase {
  std::string name;                            // "q4_1 m=1 k=576 n=1536"; unique within the op
  std::function<PreparedCase(Exec&)> prepare;  // makes inputs from a fixed seed
  bool perf = false;                           // also timed in perf mode
  bool parity = true;                          // false: too big for the parity run, only timed
  bool same_bits_on_all_isas = false;          // demand identical bits for scalar, AVX2 and AVX-512
};

// Seeded numbers for inputs, the same on every machine (splitmix64 and Box-Muller in double).
class CaseRandom {
 public:
  explicit CaseRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  float uniform(float low, float high);
  float normal();
  std::vector<float> normals(std::size_t n, float scale = 1.0f);

 private:
  std::uint64_t state_;
};

inline std::shared_ptr<std::vector<float>> case_floats(std::size_t n, float value = 0.0f) {
  return std::make_shared<std::vector<float>>(n, value);
}

}  // namespace consort
