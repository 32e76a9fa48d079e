#include "models/network/text_encoder.h"

#include <string>
#include <utility>

namespace consort {
namespace {

struct TextSample final : Sample {
  std::vector<TokenId> ids;
};

class TextEncoder final : public Network {
 public:
  TextEncoder(std::unique_ptr<Encoder> encoder, std::shared_ptr<const Tokenizer> tokenizer)
      : encoder_(std::move(encoder)), tokenizer_(std::move(tokenizer)) {
    const EncoderInfo& e = encoder_->info();
    info_.id = e.id;
    info_.architecture = e.architecture;
    info_.inputs = {InputKind::kText};
    info_.dimension = e.dimension;
    info_.normalised = e.normalised;
    info_.pooling = e.pooling;
    info_.max_tokens = e.max_tokens;
    info_.flop_per_token = e.flop_per_token;
    info_.weight_bytes = e.weight_bytes;
    info_.weights_digest = e.weights_digest;
  }
  const NetworkInfo& info() const override { return info_; }

  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override {
    if (input.kind != InputKind::kText)
      return fail(ErrorKind::kUnsupported,
                  "the model takes texts, not " + std::string(input_kind_name(input.kind)), info_.id);
    auto sample = std::make_unique<TextSample>();
    sample->ids = tokenizer_->encode(input.text, {.add_special = true, .parse_special = false});
    if (sample->ids.empty()) return fail(ErrorKind::kInvalid, "the text is empty", info_.id);
    const auto most = static_cast<std::size_t>(info_.max_tokens);
    if (sample->ids.size() > most) {
      const TokenId last = sample->ids.back();
      sample->ids.resize(most);
      if (tokenizer_->is_special(last)) sample->ids.back() = last;
      sample->truncated = true;
    }
    sample->tokens = static_cast<int>(sample->ids.size());
    sample->flop = sample->tokens * info_.flop_per_token;
    return sample;
  }

  Status forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) override {
    if (output.level != EmbeddingLevel::kItem)
      return fail(ErrorKind::kUnsupported, "the model gives one embedding a text", info_.id);
    std::vector<std::span<const std::int32_t>> texts;
    for (const Sample* sample : samples) texts.emplace_back(static_cast<const TextSample*>(sample)->ids);
    return encoder_->embed(exec, texts, output.embeddings);
  }
  void set_op_recorder(OpRecorder* recorder) override { encoder_->set_op_recorder(recorder); }
  void set_layer_probe(LayerProbe probe) override { encoder_->set_layer_probe(std::move(probe)); }

 private:
  std::unique_ptr<Encoder> encoder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  NetworkInfo info_;
};

}  // namespace

std::unique_ptr<Network> network_of_encoder(std::unique_ptr<Encoder> encoder,
                                            std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<TextEncoder>(std::move(encoder), std::move(tokenizer));
}

}  // namespace consort
