// The kernel of rope for AVX2.
#include "kernels/rope/kernel-inl.h"
