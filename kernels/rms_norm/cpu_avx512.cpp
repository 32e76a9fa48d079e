// The kernel of rms_norm for AVX-512.
#include "kernels/rms_norm/kernel-inl.h"
