// The kernel of rope for AVX-512.
#include "kernels/rope/kernel-inl.h"
