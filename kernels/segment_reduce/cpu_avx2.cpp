// The kernel of segment_reduce for AVX2.
#include "kernels/segment_reduce/kernel-inl.h"
