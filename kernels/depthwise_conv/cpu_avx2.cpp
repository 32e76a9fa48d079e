// The kernel of depthwise_conv for AVX2.
#include "kernels/depthwise_conv/kernel-inl.h"
