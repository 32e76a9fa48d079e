// The kernel of rms_norm for AVX2.
#include "kernels/rms_norm/kernel-inl.h"
