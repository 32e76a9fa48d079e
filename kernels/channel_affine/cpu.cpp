// The kernel of channel_affine for scalar.
#include "kernels/channel_affine/kernel-inl.h"
