// The kernel of activation for scalar.
#include "kernels/activation/kernel-inl.h"
