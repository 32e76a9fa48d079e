// The kernel of attention for AVX2.
#include "kernels/attention/kernel-inl.h"
#include "kernels/attention/text-inl.h"
