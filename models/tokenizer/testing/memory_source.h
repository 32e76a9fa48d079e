// For tests: a WeightSource that is only metadata, and tiny vocabularies of both GGUF kinds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/formats/weight_source.h"

namespace consort::testing {

class MemorySource final : public WeightSource {
 public:
  std::map<std::string, MetaValue, std::less<>> values;

  std::string format() const override { return "gguf v3"; }
  std::string location() const override { return "memory.gguf"; }
  std::string architecture() const override { return "llama"; }
  const MetaValue* meta(std::string_view key) const override {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : &found->second;
  }
  std::vector<std::string> meta_keys() const override {
    std::vector<std::string> keys;
    for (const auto& [key, value] : values) keys.push_back(key);
    return keys;
  }
  const TensorEntry* find(std::string_view) const override { return nullptr; }
  const std::vector<TensorEntry>& tensors() const override { return tensors_; }
  std::size_t mapped_bytes() const override { return 0; }

  void set(const std::string& key, MetaValue::Array array) {
    values["tokenizer.ggml." + key].value = std::move(array);
  }
  void set(const std::string& key, std::string text) {
    values["tokenizer.ggml." + key].value = std::move(text);
  }
  void set(const std::string& key, std::int64_t number) { values["tokenizer.ggml." + key].value = number; }
  void set(const std::string& key, bool flag) { values["tokenizer.ggml." + key].value = flag; }

 private:
  std::vector<TensorEntry> tensors_;
};

// Bytes a..e, space (G with dot) and newline; merges ab, bc, abc (late), "space a"; special <s> and <x>;
// user-defined @@.
inline MemorySource tiny_bpe(const std::string& pre = "gpt-2") {
  MemorySource s;
  s.set("model", std::string("gpt2"));
  s.set("pre", pre);
  s.set("tokens", std::vector<std::string>{"<s>", "<x>", "a", "b", "c", "d", "e", "\xC4\xA0", "\xC4\x8A",
                                           "ab", "bc", "abc",
                                           "\xC4\xA0"
                                           "a",
                                           "1", "@@", "cd"});
  s.set("token_type", std::vector<std::int64_t>{3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1});
  s.set("merges", std::vector<std::string>{"b c", "a b", "\xC4\xA0 a", "a bc", "c d"});
  s.set("bos_token_id", std::int64_t{0});
  s.set("eos_token_id", std::int64_t{1});
  return s;
}

// Characters a, b, space; ab (better than ba), ba, space-a; bytes for what is missing; <s>, </s>, <unk>.
inline MemorySource tiny_spm() {
  MemorySource s;
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int64_t> types = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    const char* hex = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + hex[byte / 16] + hex[byte % 16] + ">");
    types.push_back(6);
  }
  for (const char* text : {"a", "b", "\xE2\x96\x81", "ab", "ba",
                           "\xE2\x96\x81"
                           "a",
                           "\n\n"}) {
    tokens.emplace_back(text);
    types.push_back(1);
  }
  types.back() = 4;
  std::vector<double> scores(tokens.size(), 0.0);
  for (std::size_t i = 259; i < scores.size(); ++i) scores[i] = -static_cast<double>(i);
  s.set("model", std::string("llama"));
  s.set("tokens", std::move(tokens));
  s.set("token_type", std::move(types));
  s.set("scores", std::move(scores));
  s.set("add_space_prefix", false);
  return s;
}

}  // namespace consort::testing
