// The kernel of layer_norm for scalar.
#include "kernels/layer_norm/kernel-inl.h"
