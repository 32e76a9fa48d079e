// The kernel of depthwise_conv for AVX-512.
#include "kernels/depthwise_conv/kernel-inl.h"
