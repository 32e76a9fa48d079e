// The kernel of channel_affine for AVX2.
#include "kernels/channel_affine/kernel-inl.h"
