// The kernel of distance for AVX2.
#include "kernels/distance/kernel-inl.h"
