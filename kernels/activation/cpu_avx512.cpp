// The kernel of activation for AVX-512.
#include "kernels/activation/kernel-inl.h"
