// The kernel of activation for AVX2.
#include "kernels/activation/kernel-inl.h"
