// The kernel of attention for scalar.
#include "kernels/attention/kernel-inl.h"
#include "kernels/attention/text-inl.h"
