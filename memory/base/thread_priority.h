// The priority of threads that nobody waits for.
#pragma once

namespace consort {

// The calling thread gives way to the others of this and of other processes from now on: a tenth of a core is
// left to it where all are busy, all of one where it is idle (nice 10, SCHED_BATCH). For the rest of the
// thread's life; where the system refuses, nothing changes.
void lower_thread_priority();

}  // namespace consort
