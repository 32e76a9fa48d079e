// The kernel of resize for AVX-512.
#include "kernels/resize/kernel-inl.h"
