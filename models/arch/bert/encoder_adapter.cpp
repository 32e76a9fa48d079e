#include "models/arch/bert/encoder_adapter.h"

#include <vector>

#include "models/arch/bert/text_sample.h"

namespace consort::bert {
namespace {

class Adapter final : public Encoder {
 public:
  explicit Adapter(std::unique_ptr<Network> network) : network_(std::move(network)) {
    const NetworkInfo& n = network_->info();
    info_ = {n.id,         n.architecture,   n.dimension,    n.max_tokens,    n.pooling,
             n.normalised, n.flop_per_token, n.weight_bytes, n.weights_digest};
  }
  const EncoderInfo& info() const override { return info_; }
  Status embed(Exec& exec, std::span<const std::span<const std::int32_t>> texts, TensorView out) override {
    std::vector<TextSample> samples(texts.size());
    std::vector<const Sample*> pointers;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      samples[i].ids.assign(texts[i].begin(), texts[i].end());
      samples[i].tokens = samples[i].second = static_cast<int>(texts[i].size());
      pointers.push_back(&samples[i]);
    }
    NetworkOutput output;
    output.embeddings = out;
    return network_->forward(exec, pointers, output);
  }
  void set_layer_probe(LayerProbe probe) override { network_->set_layer_probe(std::move(probe)); }
  void set_op_recorder(OpRecorder* recorder) override { network_->set_op_recorder(recorder); }

 private:
  std::unique_ptr<Network> network_;
  EncoderInfo info_;
};

}  // namespace

std::unique_ptr<Encoder> adapt_encoder(std::unique_ptr<Network> network) {
  return std::make_unique<Adapter>(std::move(network));
}

}  // namespace consort::bert
