// The kernel of rms_norm for scalar.
#include "kernels/rms_norm/kernel-inl.h"
