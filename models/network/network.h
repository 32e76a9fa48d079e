// Network: a model that answers in one pass: text encoders, rerankers, image, file, molecule and graph
// encoders and classifiers. What comes from outside (a JPEG, a SMILES text, a source file) is prepared on any
// thread into a Sample; the lane's thread alone runs forward over samples of all requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/exec/exec.h"
#include "memory/base/status.h"
#include "memory/tensor/tensor.h"
#include "models/model.h"

namespace consort {

enum class InputKind : std::uint8_t { kText, kPair, kImage, kFile, kMolecule, kGraph };
std::string_view input_kind_name(InputKind kind);  // "text", "pair", "image", "file", "smiles", "graph"

// One item as the caller gave it. Nothing is copied: `bytes` and the texts belong to the caller and must
// outlive prepare(), not the sample.
struct NetworkInput {
  InputKind kind = InputKind::kText;
  std::string_view text;             // kText: the text; kPair: the query; kMolecule: SMILES
  std::string_view passage;          // kPair
  std::span<const std::byte> bytes;  // kImage: the encoded picture; kFile: contents; kGraph: JSON text
  std::string_view name;             // for messages: the file's name; may be empty
};

// What prepare() made of an item: token ids, pixels, features and edges. Immutable; owned by the request.
class Sample {
 public:
  virtual ~Sample() = default;
  int tokens = 0;          // texts: ids with specials; graphs: nodes; images and files: patches or tokens
  bool truncated = false;  // the model's limit cut the item
  double flop = 0;         // of one forward pass; what a step is filled by
};

// An embedding for each item, or one for each of its parts (late interaction: tokens; graphs: nodes).
enum class EmbeddingLevel : std::uint8_t { kItem, kPart };

// How a model that embeds two kinds into one space compares them: probability = softmax (CLIP) or sigmoid
// (SigLIP) of scale * cosine + bias.
struct JointSpace {
  double scale = 1, bias = 0;
  bool sigmoid = false;
};

struct NetworkInfo {
  std::string id, architecture;
  std::vector<InputKind> inputs;                 // what prepare() takes
  int dimension = 0;                             // of an embedding; 0 = embeds nothing
  EmbeddingLevel level = EmbeddingLevel::kItem;  // what `embed` gives when nobody asks
  bool parts = false;                            // kPart can be asked for
  bool normalised = false;                       // embeddings have length 1
  std::string pooling;                           // "mean", "cls"; empty for other models
  int classes = 0;                               // logits an item; 1 for rerankers; 0 = classifies nothing
  std::vector<std::string> labels;               // of the logits; empty or `classes` many
  std::optional<JointSpace> joint;
  int max_tokens = 0;  // the model's own limit, special tokens included; 0 = none
  double flop_per_token = 0;
  std::size_t weight_bytes = 0;
  std::string weights_digest;  // xxh3-128 of the file, hex; part of every run's record
};

struct LabelScore {
  std::string label;
  double score = 0;  // probability
};

// What a classifier says of one item. `labels` is its decision after thresholds and rules, best first
// (labels[0] is the answer); `raw` the network's own top labels.
struct Decision {
  std::vector<LabelScore> labels, raw;
  std::string reason;  // why labels[0] is not raw[0]: "overwrite_map", "low_confidence"; empty otherwise
};

// Views of the caller's memory; a view without data is not wanted. All float32.
struct NetworkOutput {
  EmbeddingLevel level = EmbeddingLevel::kItem;
  TensorView embeddings;  // [rows, dimension]: one row a sample (kItem) or Sample::tokens rows each (kPart)
  TensorView logits;      // [samples, classes]
};

// Owned by its engine.
class Network {
 public:
  virtual ~Network() = default;
  virtual const NetworkInfo& info() const = 0;
  // Any thread, at the same time. Errors: kInvalid for an item that cannot be read (broken picture,
  // unparsable SMILES; the message says what is wrong), kUnsupported for a kind that `inputs` does not name.
  virtual Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const = 0;
  // The lane's thread. Samples are this network's own. A sample's result does not depend on its neighbours,
  // their number, or the number of threads. Errors: kMemory.
  virtual Status forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) = 0;
  // Any thread. `logits`: the sample's row. The default is softmax, then the `top` best, ties to the lower
  // index.
  virtual Decision decide(const Sample& sample, std::span<const float> logits, int top) const;
  // A decision that needs no pass (an empty file). Such a sample is not given to forward when only labels
  // are wanted.
  virtual std::optional<Decision> decided(const Sample& sample) const {
    static_cast<void>(sample);
    return std::nullopt;
  }
  virtual void set_op_recorder(OpRecorder* recorder) { static_cast<void>(recorder); }
  virtual void set_layer_probe(LayerProbe probe) { static_cast<void>(probe); }
};

}  // namespace consort
