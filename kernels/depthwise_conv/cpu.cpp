// The kernel of depthwise_conv for scalar.
#include "kernels/depthwise_conv/kernel-inl.h"
