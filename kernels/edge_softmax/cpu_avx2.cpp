// The kernel of edge_softmax for AVX2.
#include "kernels/edge_softmax/kernel-inl.h"
