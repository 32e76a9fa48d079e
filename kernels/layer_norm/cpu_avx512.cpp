// The kernel of layer_norm for AVX-512.
#include "kernels/layer_norm/kernel-inl.h"
