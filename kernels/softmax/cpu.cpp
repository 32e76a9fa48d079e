// The kernel of softmax for scalar.
#include "kernels/softmax/kernel-inl.h"
