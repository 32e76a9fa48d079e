// The kernel of segment_reduce for AVX-512.
#include "kernels/segment_reduce/kernel-inl.h"
