// The tensors of a decoder under the names that GGUF files give them ("blk.3.attn_q.weight").
#pragma once

#include "models/layers/decoder.h"

namespace consort {

// Which of the optional parts an architecture has; a part that it has must be in the file.
struct DecoderParts {
  bool head_norms = false;        // attn_q_norm, attn_k_norm
  bool post_norms = false;        // post_attention_norm, post_ffw_norm
  bool attention_biases = false;  // attn_{q,k,v}.bias are taken when the file has them
};

// Embedding, head (tied when there is no output.weight), final norm and `layers` layers. Errors: as
// WeightLoader.
Result<DecoderWeights> load_decoder_tensors(WeightLoader& loader, const DecoderConfig& config,
                                            const DecoderParts& parts, int layers);

}  // namespace consort
