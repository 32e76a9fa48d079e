// The passes over logits for AVX2.
#include "scheduler/decode/logit_passes-inl.h"
