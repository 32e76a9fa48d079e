// The kernel of edge_softmax for AVX-512.
#include "kernels/edge_softmax/kernel-inl.h"
