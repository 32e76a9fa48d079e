// Model: text generation, as an architecture implements it and the scheduler drives it (models that answer in
// one pass: models/network/network.h). One instance serves every sequence of its host; the lane's thread
// alone calls forward.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "kernels/exec/exec.h"
#include "kernels/matmul/activation_format.h"
#include "memory/base/status.h"
#include "memory/kv/kv_layout.h"
#include "models/formats/weight_source.h"

namespace consort {

struct ModelInfo {
  std::string id;            // catalogue id or path
  std::string architecture;  // "llama"
  int vocab_size = 0;
  int width = 0;  // d_model
  int layers = 0;
  int context_length = 0;             // positions the file says the model was made for
  double flop_per_token = 0;          // forward, without attention over the context
  double flop_per_logits_row = 0;     // of it, the output layer's: only where logits are wanted
  double flop_per_token_context = 0;  // more for each token of context already there
  std::size_t weight_bytes = 0;       // read for one decode step: with the context, the cost model's bytes
  std::size_t kv_bytes_per_token = 0;
  std::string weights_digest;  // xxh3-128 of the file, hex; part of every run's record
};

// Which rows of a slice need logits.
enum class LogitsWanted : std::uint8_t { kNone, kLast, kAll };

// One sequence's part of a step: `tokens` stand at positions [start, start + tokens.size()). The KV pages
// cover all of them (KvSequence::reserve was called); forward writes K and V of every token given.
struct SequenceSlice {
  std::span<const std::int32_t> tokens;
  int start = 0;
  KvView kv;
  LogitsWanted wanted = LogitsWanted::kLast;
  // 0: whole rows. n: of each wanted row the caller needs only the n largest logits (ties included); the
  // others may be -infinity, so that a model need not compute what cannot be among them.
  int largest = 0;
};

struct StepBatch {
  std::span<const SequenceSlice> slices;  // any number of sequences, decode and prefill mixed
};

// Filled by forward: one row of logits per wanted position, in the order of slices and positions. The memory
// belongs to the caller and must hold wanted_rows(batch) x vocab floats.
struct StepOutput {
  TensorView logits;             // f32 [rows, vocab]
  std::size_t unread_bytes = 0;  // of ModelInfo::weight_bytes: what this step had no need to read
};

inline std::int64_t wanted_rows(const StepBatch& batch) {
  std::int64_t rows = 0;
  for (const auto& s : batch.slices)
    rows += s.wanted == LogitsWanted::kAll ? static_cast<std::int64_t>(s.tokens.size())
                                           : (s.wanted == LogitsWanted::kLast ? 1 : 0);
  return rows;
}

// Called after the embedding (layer 0) and after every block: residual stream f32 [tokens, width]. For
// goldens.
using LayerProbe = std::function<void(int layer, TensorView residual)>;

class OpRecorder;
class PackedCache;

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelInfo& info() const = 0;
  virtual KvLayout kv_layout() const = 0;
  // The result for a sequence depends on its own tokens only: not on its neighbours in the batch, on how its
  // prompt was cut into slices, or on the number of threads. Errors: kInvalid for token ids or positions out
  // of range; kMemory.
  virtual Status forward(Exec& exec, const StepBatch& batch, StepOutput& output) = 0;
  virtual void set_layer_probe(LayerProbe probe) = 0;
  // Watches the ops of the following forward passes (models/layers/ops.h); nullptr ends it. Not owned.
  virtual void set_op_recorder(OpRecorder* recorder) { static_cast<void>(recorder); }
};

// The arithmetic of matrix products with float weights. kFile: the file's (float32 sums). kInt16: weights and
// activations are rounded to 16-bit integers, sums are exact (kernels/int16_matmul); about twice as fast with
// AVX2 or AVX-512. Only encoders look at it; weights that are quantised in the file have one arithmetic.
enum class Precision : std::uint8_t { kFile, kInt16 };

struct LoadContext {
  Exec& exec;        // weights may be packed with its threads
  DevicePool& pool;  // weights' regions are drawn from it with Owner{"weights", id}
  std::string id;
  Precision precision = Precision::kFile;
  PackedCache* packed = nullptr;  // weights packed by an earlier load (models/packed); null: pack them
  ActivationFormat activations = ActivationFormat::kInt16;  // where they meet weights of a block format
};

}  // namespace consort
