// WeightSource: where a model's bytes come from, whatever the file format. GGUF, safetensors and ONNX files,
// folders, and in-memory sources for tests implement it. Architectures read hyper-parameters and tensors only
// through this interface. Everything it returns stays valid while the source lives (files are mapped).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "memory/base/status.h"
#include "memory/tensor/tensor.h"
#include "models/formats/file_identity.h"

namespace consort {

// A metadata value of a weight file. Arrays keep their element type.
struct MetaValue {
  using Array = std::variant<std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>,
                             std::vector<bool>>;
  std::variant<std::int64_t, double, bool, std::string, Array> value;
};

struct TensorEntry {
  std::string name;
  TensorView view;  // dims as [rows, cols] (row-major, the reverse of GGUF's ne); data is in the mapped file
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual std::string format() const = 0;        // "gguf v3", "safetensors"
  virtual std::string location() const = 0;      // path, for messages
  virtual std::string architecture() const = 0;  // "llama", "gemma3", "bert"; empty when the file has none

  // Metadata. GGUF: its keys ("llama.block_count"). Hugging Face folders: config.json's keys, nested ones
  // joined with dots. nullptr when absent.
  virtual const MetaValue* meta(std::string_view key) const = 0;
  virtual std::vector<std::string> meta_keys() const = 0;

  virtual const TensorEntry* find(std::string_view name) const = 0;  // nullptr when absent
  virtual const std::vector<TensorEntry>& tensors() const = 0;       // in file order
  virtual std::size_t mapped_bytes() const = 0;                      // file bytes mapped into this process

  // The files that hold the tensors, as they were when they were opened. Empty: not known, or not in files.
  virtual std::vector<FileIdentity> identities() const { return {}; }

  // Typed look-ups; errors name the key and the file.
  Result<std::int64_t> integer(std::string_view key) const;
  Result<double> number(std::string_view key) const;  // accepts integers
  Result<std::string> text(std::string_view key) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback) const;
  double number_or(std::string_view key, double fallback) const;
  // Errors: kNotFound; kInvalid when the dims differ (a -1 in dims matches anything).
  Result<TensorView> tensor(std::string_view name, std::initializer_list<std::int64_t> dims) const;
};

// Opens a .gguf, .safetensors or .onnx file (its initialisers), a torch checkpoint (torch_pickle.h), or a
// Hugging Face folder (config.json and *.safetensors, sharded or not, or model.onnx). Errors: kNotFound,
// kCorrupt (truncated, wrong magic, offsets outside the file), kUnsupported (version, quantisation: named).
Result<std::unique_ptr<WeightSource>> open_weights(const std::string& path);

}  // namespace consort
