// The kernel of conv2d for scalar.
#include "kernels/conv2d/kernel-inl.h"
