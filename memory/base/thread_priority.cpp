#include "memory/base/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace consort {
namespace {
// Not lower: it may hold a lock that an urgent thread waits for.
constexpr int kNicer = 10, kNicest = 19;
}  // namespace

void lower_thread_priority() {
  const sched_param none{};
  static_cast<void>(::sched_setscheduler(0, SCHED_BATCH, &none));  // of this thread; it preempts nobody
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  const int now = ::getpriority(PRIO_PROCESS, self);  // Linux: of one thread
  static_cast<void>(::setpriority(PRIO_PROCESS, self, std::min(now + kNicer, kNicest)));
}

}  // namespace consort
