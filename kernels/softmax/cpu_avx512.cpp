// The kernel of softmax for AVX-512.
#include "kernels/softmax/kernel-inl.h"
