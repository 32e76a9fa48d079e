// The kernel of channel_affine for AVX-512.
#include "kernels/channel_affine/kernel-inl.h"
