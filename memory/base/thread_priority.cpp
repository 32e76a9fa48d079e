#include "memory/base/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace consort {
namespace {
// Not lower: it may hold a lock that an urgent thread waits for.
constexpr int kBackgroundNice = 10;
}  // namespace

void lower_thread_priority() {
  const sched_param none{};
  static_cast<void>(::sched_setscheduler(0, SCHED_BATCH, &none));  // of this thread; it preempts nobody
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  if (::getpriority(PRIO_PROCESS, self) < kBackgroundNice)
    static_cast<void>(::setpriority(PRIO_PROCESS, self, kBackgroundNice));  // Linux: of one thread
}

}  // namespace consort
