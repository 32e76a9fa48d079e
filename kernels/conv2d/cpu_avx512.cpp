// The kernel of conv2d for AVX-512.
#include "kernels/conv2d/kernel-inl.h"
