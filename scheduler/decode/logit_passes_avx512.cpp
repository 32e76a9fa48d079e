// The passes over logits for AVX-512.
#include "scheduler/decode/logit_passes-inl.h"
