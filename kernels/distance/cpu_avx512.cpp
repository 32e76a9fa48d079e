// The kernel of distance for AVX-512.
#include "kernels/distance/kernel-inl.h"
