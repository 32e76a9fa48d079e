// The kernel of rope for scalar.
#include "kernels/rope/kernel-inl.h"
