// The kernel of softmax for AVX2.
#include "kernels/softmax/kernel-inl.h"
