// The kernel of layer_norm for AVX2.
#include "kernels/layer_norm/kernel-inl.h"
