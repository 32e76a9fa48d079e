// Small weight files made in memory by tests: a GGUF and a safetensors builder, and a folder that goes away.
// Used by the tests of several rooms; not part of the program.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace consort::testing {

// A fresh folder under the system's temporary directory, removed with its contents when destroyed.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "consort-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string file(std::string_view name, std::string_view bytes) const {
    const std::string where = path_ + "/" + std::string(name);
    std::ofstream(where, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return where;
  }

 private:
  std::string path_;
};

template <typename T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}
inline void append_text(std::string& bytes, std::string_view text) {
  append<std::uint64_t>(bytes, text.size());
  bytes += text;
}

// Builds a GGUF file field by field, so that a test can also build a wrong one.
class GgufBuilder {
 public:
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;  // used for offsets; written only by number("general.alignment", ...)

  void text(std::string_view key, std::string_view value) { meta(key, 8), append_text(meta_, value); }
  void u32(std::string_view key, std::uint32_t value) { meta(key, 4), append(meta_, value); }
  void u64(std::string_view key, std::uint64_t value) { meta(key, 10), append(meta_, value); }
  void f32(std::string_view key, float value) { meta(key, 6), append(meta_, value); }
  void boolean(std::string_view key, std::uint8_t value) { meta(key, 7), append(meta_, value); }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    meta(key, 9), append<std::uint32_t>(meta_, 8), append<std::uint64_t>(meta_, values.size());
    for (const auto& value : values) append_text(meta_, value);
  }
  template <typename T>
  void numbers(std::string_view key, std::uint32_t type, const std::vector<T>& values) {
    meta(key, 9), append(meta_, type), append<std::uint64_t>(meta_, values.size());
    for (T value : values) append(meta_, value);
  }
  // Anything: a key, a type and the value's bytes as they are.
  void raw(std::string_view key, std::uint32_t type, std::string_view value) {
    meta(key, type), meta_ += value;
  }

  // ne: GGUF's order (the fastest dimension first). The offset is the next aligned one.
  void tensor(std::string_view name, std::uint32_t type, const std::vector<std::uint64_t>& ne,
              std::string_view data) {
    tensor_at(name, type, ne, data_.size());
    data_ += data;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
  }
  void tensor_at(std::string_view name, std::uint32_t type, const std::vector<std::uint64_t>& ne,
                 std::uint64_t offset) {
    append_text(infos_, name);
    append<std::uint32_t>(infos_, static_cast<std::uint32_t>(ne.size()));
    for (auto n : ne) append(infos_, n);
    append(infos_, type);
    append(infos_, offset);
    ++tensors_;
  }
  std::string bytes() const {
    std::string file = "GGUF";
    append(file, version);
    append(file, tensors_);
    append(file, metas_);
    file += meta_ + infos_;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data_;
  }

 private:
  void meta(std::string_view key, std::uint32_t type) {
    append_text(meta_, key);
    append(meta_, type);
    ++metas_;
  }
  std::string meta_, infos_, data_;
  std::uint64_t metas_ = 0, tensors_ = 0;
};

// A GGUF file with every kind of metadata and several element types; about 3 kB.
inline std::string small_gguf(std::uint32_t version = 3) {
  GgufBuilder b;
  b.version = version;
  b.text("general.architecture", "llama");
  b.u32("llama.block_count", 2);
  b.u64("llama.big", 1ull << 40);
  b.f32("llama.epsilon", 1e-5f);
  b.boolean("tokenizer.ggml.add_bos_token", 1);
  b.texts("tokenizer.ggml.tokens", {"<s>", "a", "", "\xc4\xa0the"});
  b.numbers<float>("tokenizer.ggml.scores", 6, {0.f, -1.f, -2.5f, 3.f});
  b.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {3, 1, 1, -1});
  b.numbers<std::uint8_t>("flags", 7, {1, 0, 1});
  std::string f32(4 * 6, '\0');
  for (int i = 0; i < 6; ++i) {
    const float value = static_cast<float>(i) / 2;
    std::memcpy(f32.data() + 4 * i, &value, 4);
  }
  b.tensor("token_embd.weight", 0, {3, 2}, f32);
  b.tensor("blk.0.q4", 2, {64, 3}, std::string(6 * 18, '\x11'));
  b.tensor("blk.0.q6", 14, {256, 1}, std::string(210, '\x22'));
  b.tensor("blk.0.f16", 1, {8}, std::string(16, '\x3c'));
  return b.bytes();
}

// A safetensors file from its JSON header and data.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::string file;
  append_text(file, header);
  return file + std::string(data);
}

// {"a": f32 [2, 3], "b": i64 [2]} with metadata.
inline std::string small_safetensors() {
  std::string data;
  for (int i = 0; i < 6; ++i) append(data, static_cast<float>(i));
  append<std::int64_t>(data, -7);
  append<std::int64_t>(data, 1ll << 40);
  return safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"I64","shape":[2],"data_offsets":[24,40]}}  )",
      data);
}

}  // namespace consort::testing
