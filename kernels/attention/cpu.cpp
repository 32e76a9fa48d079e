// The kernel of attention for scalar.
#include "kernels/attention/kernel-inl.h"
