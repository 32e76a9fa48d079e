// The kernel of segment_reduce for scalar.
#include "kernels/segment_reduce/kernel-inl.h"
