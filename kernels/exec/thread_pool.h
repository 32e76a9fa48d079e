// One pool of worker threads per process, sized to the cores it may use (cpuset and cgroup quota). The
// calling thread works too. Workers spin briefly, then sleep on a futex, so a waiting pool never burns
// another process's core; while another process holds a worker's core, the caller works alone. Work is split
// by index only: results never depend on the number of threads.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace consort {

// Thread: parallel_for is called by one thread at a time (the lane's); never from inside a body.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // total, the caller included; at least 1
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  int size() const;

  // Calls body(begin, end, worker) over disjoint ranges that cover [0, n), each a multiple of `grain` long
  // except the last; worker is in [0, size()). Returns when all are done. body must not throw.
  template <typename Body>
  void parallel_for(std::size_t n, std::size_t grain, Body&& body) {
    using B = std::remove_reference_t<Body>;
    run(
        n, grain, [](void* ctx, std::size_t b, std::size_t e, int w) { (*static_cast<B*>(ctx))(b, e, w); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Fn = void (*)(void* ctx, std::size_t begin, std::size_t end, int worker);
  void run(std::size_t n, std::size_t grain, Fn fn, void* ctx);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Cores this process may use: the smaller of the affinity mask and the cgroup's quota, at least 1.
int usable_cores();

}  // namespace consort
