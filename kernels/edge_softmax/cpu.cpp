// The kernel of edge_softmax for scalar.
#include "kernels/edge_softmax/kernel-inl.h"
