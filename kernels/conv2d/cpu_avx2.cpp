// The kernel of conv2d for AVX2.
#include "kernels/conv2d/kernel-inl.h"
