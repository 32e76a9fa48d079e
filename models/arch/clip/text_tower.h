// The text transformer of CLIP and SigLIP: token and position tables, layers with the norm before, a last
// norm. CLIP's tokens see what stands before them and the end token's state is taken; SigLIP's see everything
// and the last one's is taken.
#pragma once

#include <vector>

#include "models/layers/pre_norm.h"
#include "models/network/network.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

struct TextConfig {
  PreNormConfig layers;
  int vocabulary = 0, positions = 0;
  int end = -1;        // CLIP: the end token; see TextTower::pooled
  bool causal = true;  // CLIP; SigLIP is not
};

class TextSample final : public Sample {
 public:
  std::vector<TokenId> ids;  // at least one, at most `positions`, each within the vocabulary
};

// Errors: kInvalid, kUnsupported.
Result<TextConfig> read_text(const WeightSource& source, const std::string& prefix, TextConfig defaults);

class TextTower {
 public:
  // `source` stays: the token table is read where it lies. Errors: as WeightLoader.
  static Result<TextTower> load(WeightLoader& loader, std::shared_ptr<const WeightSource> source,
                                const TextConfig& config);
  const TextConfig& config() const { return config_; }
  // One row a text after the last norm: f32 [texts, width] in scratch memory (the caller holds a Mark).
  TensorView run(Ops& ops, std::span<const TextSample* const> texts, const LayerProbe& probe) const;
  // The place of the token whose state stands for the text: the first end token (files from before 2023 call
  // it 2; then the largest id, which it is there), the last token without one.
  std::size_t pooled(std::span<const TokenId> ids) const;

 private:
  TextConfig config_;
  std::shared_ptr<const WeightSource> source_;
  TensorView words_, positions_;  // in the file
  PreNormNorm last_norm_;
  std::vector<PreNormLayer> layers_;
};

}  // namespace consort
