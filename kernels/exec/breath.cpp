#include "kernels/exec/breath.h"

#include <utility>

namespace consort {
namespace {

thread_local Breaths* current = nullptr;
thread_local std::chrono::nanoseconds spent_here{0};
thread_local std::uint64_t taken_here = 0;

}  // namespace

Breaths::Breaths(std::function<void()> during) : during_(std::move(during)) {
  current = this;
}
Breaths::~Breaths() {
  current = nullptr;
}
std::chrono::nanoseconds Breaths::spent() {
  return spent_here;
}
std::uint64_t Breaths::taken() {
  return taken_here;
}

void breathe() {
  Breaths* const breaths = std::exchange(current, nullptr);
  if (breaths == nullptr) return;
  const auto begin = std::chrono::steady_clock::now();
  ++taken_here;
  breaths->during_();
  spent_here += std::chrono::steady_clock::now() - begin;
  current = breaths;
}

}  // namespace consort
