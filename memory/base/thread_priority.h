// The priority of threads that nobody waits for.
#pragma once

namespace consort {

// The calling thread gives way to the others of this and of other processes from now on: a tenth of a core is
// left to it where all are busy, all of one where it is idle (ten steps nicer, SCHED_BATCH). Once for each thread,
// for the rest of its life; where the system refuses, nothing changes.
void lower_thread_priority();

}  // namespace consort
