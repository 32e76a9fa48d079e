// Projector: puts pictures into a space in which texts live, so that both share a retrieval memory. The
// strategy decides how; what uses it knows the space's name and nothing else.
//
// conse: convex combination of semantic embeddings (Norouzi et al. 2014, arXiv 1312.5650): the
// probability-weighted mean of the text embeddings of the picture's top labels, in the text encoder's space.
// It sees what its classifier has classes for and nothing else; it is no joint model.
// joint: a model that embeds pictures and texts into one space (CLIP); the picture's own embedding.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/calls/embedding.h"

namespace consort {

struct ProjectionOptions {
  std::string strategy = "conse";
  std::string vision = "efficientnet-lite0";  // joint: the model itself
  std::string encoder = kDefaultEmbedder;     // conse: whose space it is
  int top = 10;                               // conse: labels that take part (T in the paper)
};

struct ProjectedItem {
  std::vector<float> vector;       // of length 1
  std::vector<LabelScore> labels;  // conse: those that took part, best first
  std::optional<Error> error;      // then the others are empty
};
struct Projected {
  VectorSpace space;  // that of embed_texts() with the same encoder
  std::vector<ProjectedItem> items;
  std::string model_digest;  // of the model that saw the pictures
  Usage usage;
};

// Owned by whoever makes it; one call at a time. `models` outlives it.
class Projector {
 public:
  virtual ~Projector() = default;
  // Errors: those of the models as a whole; a picture that cannot be read is an error of its item.
  virtual Async<Projected> project(std::vector<ModelInput> items, RequestContext context) = 0;
};

// Errors: kInvalid for an unknown strategy.
Result<std::unique_ptr<Projector>> make_projector(ModelDirectory& models, ProjectionOptions options);

// "a photo of tabby cat, tiger cat": what the labels say, for search by words; labels below a tenth are left
// out but for the first.
std::string picture_text(const std::vector<LabelScore>& labels);

}  // namespace consort
