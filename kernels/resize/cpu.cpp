// The kernel of resize for scalar.
#include "kernels/resize/kernel-inl.h"
