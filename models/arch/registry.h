// The architectures of this build, generated from the list in models/arch/CMakeLists.txt.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/model.h"
#include "models/network/network.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

struct Architecture {
  std::string name;  // as in the weight file: "llama", "gemma3", "bert"
  // A text generator sets load_model, everything else load_network.
  Result<std::unique_ptr<Model>> (*load_model)(std::shared_ptr<const WeightSource>, LoadContext&) = nullptr;
  // `tokenizer` is null for a model that reads no text; the network keeps it.
  Result<std::unique_ptr<Network>> (*load_network)(std::shared_ptr<const WeightSource>,
                                                   std::shared_ptr<const Tokenizer> tokenizer,
                                                   LoadContext&) = nullptr;
  // For files that carry no name (torch checkpoints): is this one of the architecture? May be null.
  bool (*recognises)(const WeightSource&) = nullptr;
};

const std::vector<Architecture>& architectures();
const Architecture* find_architecture(std::string_view name);
// By the name in the file; for a file without one, the architecture that recognises its tensors. Null when
// there is none.
const Architecture* find_architecture(const WeightSource& source);

}  // namespace consort
