// The kernel of attention for AVX-512.
#include "kernels/attention/kernel-inl.h"
#include "kernels/attention/text-inl.h"
