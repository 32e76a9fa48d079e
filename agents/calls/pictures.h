// Pictures on their way into the retrieval memory: an item keeps the blob's digest and media type, says in
// words what is on the picture, and has its vector from a projector. Used by remember and ingest.
#pragma once

#include <vector>

#include "agents/calls/projector.h"
#include "memory/retrieval/item.h"
#include "memory/store/store_write.h"
#include "scheduler/blob/blob_store.h"

namespace consort {

struct Picture {
  Value handle;  // of its blob
  NewItem item;  // an empty text is filled with what the labels say
  std::optional<Error> error;
};
struct DescribedPictures {
  VectorSpace space;
  std::vector<Picture> pictures;
  std::vector<StoreWrite> writes;  // keep the blobs; to be committed with the items
  Usage usage;
};

// Fills the items: text, embedding, provenance.model_digest (when empty), and the metadata blob, mediaType,
// width, height, labels (those that the text names) where they are not there yet. Errors: those of the
// projector as a whole and of BlobStore; a picture that cannot be read has its error.
Async<DescribedPictures> describe_pictures(Projector& projector, BlobStore& blobs,
                                           std::vector<Picture> pictures, RequestContext context);

// From the option `pictures: {strategy, model, topK}` of a call; null gives the defaults. joint: the model is
// the encoder too.
ProjectionOptions read_projection(const Value& pictures, std::string encoder);

}  // namespace consort
