// The kernel of resize for AVX2.
#include "kernels/resize/kernel-inl.h"
