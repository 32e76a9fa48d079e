// The passes over logits for what every machine has.
#include "scheduler/decode/logit_passes-inl.h"
