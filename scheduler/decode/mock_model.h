// MockModel and LetterTokenizer: a deterministic little language model for tests. Its logits are a function
// of the sequence's own tokens, read back from the KV pages, so wrong pages give wrong text. Only tests
// include it.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "models/network/network.h"
#include "models/tokenizer/tokenizer.h"

namespace consort::mock {

inline constexpr int kVocab = 97;
inline constexpr TokenId kBos = 0, kEos = 1;  // 2.. are the characters from ' ' to '~'

inline std::uint64_t mix(std::uint64_t h, std::uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 31);
}

// The model itself, without a cache: logits after `tokens`.
inline std::vector<float> logits_after(std::span<const TokenId> tokens) {
  std::uint64_t h = 1;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    h = mix(h, mix(static_cast<std::uint64_t>(tokens[i]) + 7, i));
  std::vector<float> out(kVocab);
  for (int v = 0; v < kVocab; ++v)
    out[static_cast<std::size_t>(v)] =
        static_cast<float>(mix(h, static_cast<std::uint64_t>(v)) >> 40) / 4.0e6f;
  return out;
}

class MockModel : public Model {
 public:
  explicit MockModel(KvLayout layout = {1, 1, 8, DType::kF32}, int context = 2048) : layout_(layout) {
    info_.id = "mock";
    info_.architecture = "mock";
    info_.vocab_size = kVocab;
    info_.context_length = context;
    info_.flop_per_token = 10;
    info_.flop_per_token_context = 1;
    info_.weight_bytes = 1000;
    info_.kv_bytes_per_token = 4;
  }
  const ModelInfo& info() const override { return info_; }
  KvLayout kv_layout() const override { return layout_; }
  void set_layer_probe(LayerProbe) override {}

  Status forward(Exec&, const StepBatch& batch, StepOutput& output) override {
    if (fail_steps > 0 && --fail_steps == 0) return fail(ErrorKind::kRuntime, "a broken step");
    if (throw_steps > 0 && --throw_steps == 0) throw std::bad_alloc();
    if (output.logits.dims[0] != wanted_rows(batch)) return fail(ErrorKind::kRuntime, "wrong rows");
    float* row = output.logits.as<float>();
    for (const SequenceSlice& s : batch.slices) {
      for (std::size_t i = 0; i < s.tokens.size(); ++i) {
        const int at = s.start + static_cast<int>(i);
        std::memcpy(cell(s.kv, at), &s.tokens[i], sizeof(TokenId));
        const bool wanted =
            s.wanted == LogitsWanted::kAll || (s.wanted == LogitsWanted::kLast && i + 1 == s.tokens.size());
        if (!wanted) continue;
        std::vector<TokenId> seen(static_cast<std::size_t>(at) + 1);
        for (int p = 0; p <= at; ++p)
          std::memcpy(&seen[static_cast<std::size_t>(p)], cell(s.kv, p), sizeof(TokenId));
        const auto logits = logits_after(seen);
        std::copy(logits.begin(), logits.end(), row);
        row += kVocab;
      }
    }
    ++steps;
    return {};
  }

  std::atomic<int> fail_steps{0}, throw_steps{0}, steps{0};

 private:
  std::byte* cell(const KvView& kv, int position) const {
    return kv.pages[position / kPageTokens] +
           layout_.offset(0, 0, 0, position % kPageTokens) * dtype_info(layout_.dtype).bytes;
  }
  KvLayout layout_;
  ModelInfo info_;
};

class LetterTokenizer final : public Tokenizer {
 public:
  std::string kind() const override { return "mock"; }
  int vocab_size() const override { return kVocab; }
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const override {
    std::vector<TokenId> out;
    if (options.add_special) out.push_back(kBos);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (options.parse_special && text.substr(i, 5) == "<eos>") {
        out.push_back(kEos);
        i += 4;
      } else if (text[i] >= ' ' && text[i] <= '~') {
        out.push_back(text[i] - ' ' + 2);
      }
    }
    return out;
  }
  std::vector<TokenId> encode_with_literals(std::string_view text,
                                            std::span<const ByteRange> literal) const override {
    return encode(text, {.parse_special = literal.empty()});
  }
  Result<std::string> decode(std::span<const TokenId> ids, bool = true) const override {
    std::string out;
    for (const TokenId id : ids) {
      if (id < 0 || id >= kVocab) return fail(ErrorKind::kInvalid, "id outside the vocabulary");
      out += token_bytes(id);
    }
    return out;
  }
  std::string token_bytes(TokenId id) const override {
    return id >= 2 ? std::string(1, static_cast<char>(' ' + id - 2)) : std::string();
  }
  std::optional<TokenId> bos() const override { return kBos; }
  std::optional<TokenId> eos() const override { return kEos; }
  bool adds_bos() const override { return true; }
  bool is_end_of_generation(TokenId id) const override { return id == kEos; }
  bool is_special(TokenId id) const override { return id < 2; }
  std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
};

// Embeds texts (a few hashes of its tokens) and classifies files (by their length). A kPart embedding has one
// row a token: that of the text up to it.
class MockNetwork final : public Network {
 public:
  struct Prepared final : Sample {
    std::vector<TokenId> ids;
    std::size_t bytes = 0;
  };
  MockNetwork() {
    info_.id = "mock-network";
    info_.inputs = {InputKind::kText, InputKind::kFile};
    info_.dimension = 4;
    info_.parts = true;
    info_.max_tokens = 16;
    info_.classes = 3;
    info_.labels = {"empty", "odd", "even"};
    info_.flop_per_token = 5;
    info_.joint = JointSpace{2.0, 0.5, false};
  }
  const NetworkInfo& info() const override { return info_; }
  static float value(std::span<const TokenId> text, std::uint64_t k) {
    std::uint64_t h = k + 1;
    for (const TokenId t : text) h = mix(h, static_cast<std::uint64_t>(t));
    return static_cast<float>(h >> 40);
  }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override {
    ++prepared;
    if (input.kind != InputKind::kText && input.kind != InputKind::kFile)
      return fail(ErrorKind::kUnsupported, "neither a text nor a file", info_.id);
    auto sample = std::make_unique<Prepared>();
    const std::string_view bytes(reinterpret_cast<const char*>(input.bytes.data()), input.bytes.size());
    if (bytes == "broken") return fail(ErrorKind::kInvalid, "a broken file", std::string(input.name));
    sample->bytes = bytes.size();
    sample->ids =
        LetterTokenizer().encode(input.kind == InputKind::kText ? input.text : bytes, {.add_special = true});
    sample->truncated = sample->ids.size() > 16;
    sample->ids.resize(std::min<std::size_t>(sample->ids.size(), 16));
    sample->tokens = static_cast<int>(sample->ids.size());
    sample->flop = 5.0 * sample->tokens;
    return sample;
  }
  Status forward(Exec&, std::span<const Sample* const> samples, NetworkOutput& output) override {
    if (fail_steps > 0 && --fail_steps == 0) return fail(ErrorKind::kRuntime, "a broken step");
    float* row = output.embeddings.as<float>();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto& sample = static_cast<const Prepared&>(*samples[i]);
      const std::size_t all = sample.ids.size(),
                        first = output.level == EmbeddingLevel::kItem ? all : std::size_t{1};
      for (std::size_t n = first; row != nullptr && n <= all; ++n)
        for (std::uint64_t k = 0; k < 4; ++k) *row++ = value({sample.ids.data(), n}, k);
      if (output.logits.data != nullptr)
        for (std::size_t c = 0; c < 3; ++c)
          output.logits.as<float>()[i * 3 + c] = c == 1 + (sample.bytes % 2 == 0 ? 1u : 0u) ? 2.0F : 0.0F;
    }
    ++steps;
    return {};
  }
  std::optional<Decision> decided(const Sample& sample) const override {
    const auto& own = static_cast<const Prepared&>(sample);
    if (own.bytes > 0) return std::nullopt;
    return Decision{{{"empty", 1.0}}, {}, "no content"};
  }
  std::atomic<int> fail_steps{0}, steps{0};
  mutable std::atomic<int> prepared{0};

 private:
  NetworkInfo info_;
};

}  // namespace consort::mock
