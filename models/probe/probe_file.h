// Probes on disk: one file holds the heads of several targets over the same embeddings.
#pragma once

#include <string>
#include <vector>

#include "memory/base/status.h"
#include "models/probe/probe.h"

namespace consort {

// A model whose embeddings the heads were fitted on.
struct ProbeEncoder {
  std::string model;   // catalogue id or path
  std::string digest;  // of its weights; a probe answers for these only
  std::size_t dimension = 0;
};

struct ProbeFile {
  std::vector<ProbeEncoder> encoders;  // their embeddings stand side by side, in this order
  std::string level = "item";          // of the embeddings: "item", or "part" (one for each token or node)
  std::string input_kind;              // of the items it was fitted on: "text", "smiles", "image", ...
  std::string input_type;              // "", "query" or "document": the prefix put before texts
  // Every encoder's embedding is brought to length 1 first: an outlier's length is in all its columns.
  bool unit_length = true;
  std::string report;        // how it was fitted and what it scored (JSON); may be empty
  std::vector<Probe> heads;  // at least one, targets all different

  std::size_t dimension() const;  // of all encoders together
};

// Errors: kInvalid when heads and encoders do not fit each other, kIo. The file is safetensors: for head i
// the tensors `i.weights` [rows, dimension] and `i.bias` [rows], all else as metadata.
Status save_probes(const ProbeFile& file, const std::string& path);
// Errors: kNotFound; kInvalid or kCorrupt for a file that holds no probes, naming what is wrong.
Result<ProbeFile> load_probes(const std::string& path);

}  // namespace consort
